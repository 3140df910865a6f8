"""Each role's public inputs are documented once, in meta/argument_specs.yml; its defaults agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).parents[3] / "roles").iterdir() if path.is_dir())


def load(path: Path) -> dict[str, Any]:
    """A YAML mapping; a missing file is an empty one."""
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def options(role: Path) -> dict[str, Any]:
    """The documented options of a role's main entry point."""
    spec = load(role / "meta" / "argument_specs.yml")
    found: dict[str, Any] = spec["argument_specs"]["main"]["options"]
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_defaults_agree_with_argument_specs(role: Path) -> None:
    public = {
        name: value
        for name, value in load(role / "defaults" / "main.yml").items()
        if not name.startswith("__")
    }
    documented = {
        name: option.get("default") for name, option in options(role).items() if "default" in option
    }
    assert documented == public


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_an_option_is_either_required_or_has_a_default(role: Path) -> None:
    undecided = [
        name
        for name, option in options(role).items()
        if bool(option.get("required")) == ("default" in option)
    ]
    assert undecided == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_every_name_carries_the_role_as_prefix(role: Path) -> None:
    names = [*load(role / "defaults" / "main.yml"), *load(role / "vars" / "main.yml"), *options(role)]
    assert [name for name in names if not name.lstrip("_").startswith(f"{role.name}_")] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_every_option_says_what_it_is_for(role: Path) -> None:
    assert [name for name, option in options(role).items() if not option.get("description")] == []


def test_every_module_that_is_loaded_stays_in_the_image() -> None:
    """What the image's recipe removes, Asterisk could only miss at its next start."""
    roles = Path(__file__).parents[3] / "roles"
    keep = (roles / "asterisk_image" / "files" / "modules.keep").read_text()
    kept = {name for line in keep.splitlines() if not line.startswith("#") for name in line.split()}
    loaded = re.findall(
        r"^load = (\w+)\.so", (roles / "asterisk_config/templates/modules.conf.j2").read_text(), re.M
    )
    assert loaded
    assert [name for name in loaded if name not in kept] == []
