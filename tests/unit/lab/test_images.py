"""An image's tag changes with its recipe and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.images import base_reference, recipe_hash, reference


def recipe(directory: Path) -> Path:
    """A recipe of two files, one of them in a directory."""
    (directory / "files").mkdir(parents=True)
    (directory / "Dockerfile").write_text("FROM scratch\n")
    (directory / "files" / "a").write_text("1")
    return directory


def test_same_recipe_same_hash(tmp_path: Path) -> None:
    assert recipe_hash("base:1", recipe(tmp_path / "a")) == recipe_hash("base:1", recipe(tmp_path / "b"))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: (path / "Dockerfile").write_text("FROM other\n"), id="content"),
        pytest.param(lambda path: (path / "files" / "a").rename(path / "files" / "b"), id="name"),
        pytest.param(lambda path: (path / "files" / "b").write_text(""), id="new-file"),
        pytest.param(lambda path: (path / "files" / "a").unlink(), id="lost-file"),
    ],
)
def test_any_change_of_the_recipe_changes_the_hash(tmp_path: Path, change: Callable[[Path], object]) -> None:
    directory = recipe(tmp_path / "a")
    before = recipe_hash("base:1", directory)
    change(directory)
    assert recipe_hash("base:1", directory) != before


def test_parent_changes_the_hash(tmp_path: Path) -> None:
    directory = recipe(tmp_path / "a")
    assert recipe_hash("base:1", directory) != recipe_hash("base:2", directory)


def test_references_name_repository_and_tag() -> None:
    names = [base_reference(), reference("sip"), reference("server")]
    assert [name.split(":")[0] for name in names] == ["lab-base", "lab-sip", "lab-server"]
    assert all(len(name.split(":")[1]) == 12 for name in names)
