# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""A site's own Asterisk files, ``inventory/<site>/asterisk/<file>.conf``: what the model does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault, Model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.site import dialplan, sections
from ansible_collections.callcenter.pbx.plugins.plugin_utils.site.lines import Line, read_lines

DIRECTORY = "asterisk"
LONGEST = 200_000


@dataclass(frozen=True)
class Kind:
    """What may be in a file. ``is_ours``: the model makes one of that name, which includes the site's."""

    is_ours: bool
    faults: Callable[[Model, list[Line]], Iterator[tuple[Line, str, str]]]


KINDS = {
    "confbridge.conf": Kind(False, sections.confbridge),
    "extensions.conf": Kind(True, dialplan.faults),
    "indications.conf": Kind(True, sections.anything),
    "modules.conf": Kind(True, sections.modules),
    "musiconhold.conf": Kind(True, sections.musiconhold),
    "pjsip_wizard.conf": Kind(True, sections.pjsip_wizard),
    "queues.conf": Kind(False, sections.queues),
}


def find(inventory_dir: str) -> list[Path]:
    """Return the files, none where the site has no such directory."""
    directory = Path(inventory_dir) / DIRECTORY
    return sorted(directory.glob("*.conf")) if directory.is_dir() else []


def released_name(name: str) -> str:
    """Return what a file is called in a release: one of ours includes it, or Asterisk reads it itself."""
    return f"site-{name}" if KINDS[name].is_ours else name


def released(inventory_dir: str) -> dict[str, str]:
    """Return the text of each file by its name in a release; to be asked for what `faults` has accepted."""
    return {
        released_name(path.name): path.read_text(encoding="utf-8")
        for path in find(inventory_dir)
        if path.name in KINDS
    }


def faults(inventory_dir: str, model: Model) -> Iterator[Fault]:
    """Yield everything in the files that would break the house, each with file and line."""
    for path in find(inventory_dir):
        shown = f"{DIRECTORY}/{path.name}"
        kind = KINDS.get(path.name)
        if kind is None:
            yield Fault(
                shown,
                "is a file that a site cannot add to",
                f"Those it can are {', '.join(KINDS)}; what else you need belongs into the model",
            )
            continue
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            yield Fault(shown, "is no UTF-8 text", "Save it as UTF-8")
            continue
        if "\0" in text or len(text) > LONGEST:
            yield Fault(
                shown,
                f"has a NUL byte, or more than {LONGEST} characters",
                "Write plain text, and less of it",
            )
            continue
        if ";--" in text:
            yield Fault(
                shown, "has a block comment, which could hide lines", "Begin each line of a comment with ;"
            )
        lines = read_lines(text)
        for line, problem, remedy in [*_everywhere(lines), *kind.faults(model, lines)]:
            yield Fault(f"{shown}:{line.number}", problem, remedy)


def _everywhere(lines: list[Line]) -> Iterator[tuple[Line, str, str]]:
    for line in lines:
        if line.text.startswith("#"):
            yield line, f"{line.text.split()[0]} reads what nobody has checked", "Write its content here"
        elif line.text.startswith("[") and not line.is_header:
            yield (
                line,
                f"{line.text} is no section's name alone",
                "Write [name] or [name](+) alone",
            )
        elif line.key.rpartition("/")[2] in ("password", "secret", "md5_cred", "password_digest"):
            yield line, "holds a password in the clear", "Passwords belong into vault.yml"
