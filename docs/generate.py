"""Write docs/variables.md from the roles' meta/argument_specs.yml; with `--check` only compare."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "variables.md"
ORDER = (
    "docker_host",
    "sip_firewall",
    "asterisk_image",
    "asterisk_config",
    "asterisk_container",
    "sip_bans",
    "asterisk_smoke",
)
INTRODUCTION = """# Variables

<!-- Written by `make docs` from roles/*/meta/argument_specs.yml. Edit there. -->

What you edit is the model of your site, `inventory/<site>/group_vars/pbx/model.yml`: see
[the model](model.md). `inventory/wiring.yml` hands it to the roles; set a role's own variable only where
the model does not say enough.
"""


def as_text(value: Any) -> str:
    """One table cell: paragraphs joined, Ansible's markup as code, pipes kept apart from the table's own."""
    joined = " ".join(value) if isinstance(value, list) else str(value)
    joined = re.sub(r"\b[CVOM]\(([^)]*)\)", r"`\1`", joined)
    return joined.replace("|", "\\|").replace("\n", " ").strip()


def type_of(option: dict[str, Any]) -> str:
    """`list of dict`, `int`, … with the choices where there are any."""
    kind = option.get("type", "str")
    if kind == "list":
        kind = f"list of {option.get('elements', 'str')}"
    choices = ", ".join(f"`{choice}`" for choice in option.get("choices", []))
    return f"{kind}: {choices}" if choices else kind


def default_of(option: dict[str, Any]) -> str:
    """The default as YAML on one line, or **required**."""
    if option.get("required"):
        return "**required**"
    text = yaml.safe_dump(option.get("default"), default_flow_style=True, width=10_000).strip()
    return f"`{as_text(text.removesuffix('...').strip())}`"


def rows(options: dict[str, Any], indent: str = "") -> list[str]:
    """One row per option, sub-options behind their parent."""
    found = []
    for name, option in options.items():
        about = as_text(option["description"])
        found.append(f"| {indent}`{name}` | {type_of(option)} | {default_of(option)} | {about} |")
        found += rows(option.get("options", {}), indent + "↳ ")
    return found


def render() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for role in ORDER:
        spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
        main = spec["argument_specs"]["main"]
        parts.append(f"## {role}\n\n{as_text(main['short_description'])}\n")
        parts.append("| variable | type | default | what it is |\n| --- | --- | --- | --- |")
        parts.append("\n".join(rows(main.get("options", {}))) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(render())
    elif TARGET.read_text() != render():
        sys.exit("docs/variables.md is not what the roles say: run `make docs`")
