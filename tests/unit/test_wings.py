"""The two wings of the collection: what travels to the server, and what stays on the controller."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLLECTION = "ansible_collections.callcenter.pbx.plugins"
PLUGINS = ROOT / "collections" / COLLECTION.replace(".", "/")
SERVER, CONTROLLER = "module_utils", "plugin_utils"
LONGEST, MOST_FILES = 350, 14


def imported(path: Path) -> Iterator[str]:
    """Yield what a file imports, by its full name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say whole names, by which a file can be sent to the server"
            yield node.module or ""


def sources(wing: str) -> list[Path]:
    return sorted((PLUGINS / wing).rglob("*.py"))


def name(path: Path) -> str:
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


@pytest.mark.parametrize("path", sources(SERVER), ids=name)
def test_what_travels_imports_the_standard_library_and_its_own_wing(path: Path) -> None:
    own = f"{COLLECTION}.{SERVER}."
    others = {one for one in imported(path) if not one.startswith(own)}
    assert {one.partition(".")[0] for one in others} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("*.py")), ids=name)
def test_a_module_takes_nothing_from_the_controller(path: Path) -> None:
    assert not [one for one in imported(path) if f".{CONTROLLER}" in one]


@pytest.mark.parametrize("wing", [SERVER, CONTROLLER])
def test_a_folder_is_a_subject_and_no_heap(wing: str) -> None:
    for folder in {path.parent for path in sources(wing)}:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder
        assert [path for path in folder.glob("*.py") if len(path.read_text().splitlines()) > LONGEST] == []


def test_each_test_of_a_wing_stands_where_what_it_tests_stands() -> None:
    for path in sorted((ROOT / "tests/unit").glob("*_utils/**/test_*.py")):
        folder = PLUGINS / path.parent.relative_to(ROOT / "tests/unit")
        assert folder.is_dir(), path
