"""What is wrong with a configuration that Asterisk has just started on.

Asterisk's log says what it could not read. What it accepts without a word is looked for here: objects
that refer to objects which do not exist, dialplan steps whose application or function is not loaded,
objects that were sent but are not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import conf
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.conf import Item, Section

# Keys of an object that name other objects: {type: {key: type of what it names}}.
_REFERENCES = {
    "endpoint": {
        "auth": "auth",
        "outbound_auth": "auth",
        "aors": "aor",
        "transport": "transport",
        "context": "context",
    },
    "identify": {"endpoint": "endpoint"},
    "registration": {"outbound_auth": "auth", "transport": "transport"},
}

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# In a file: "[time] WARNING[1] config.c: text"; on the console: "[time] WARNING[1]: config.c:12 name: text".
_LOG_LINE = re.compile(
    r"^\[[^\]]*\]\s+(?:WARNING|ERROR)\[\d+\](?:\[C-[0-9a-f]+\])?:?\s+"
    r"\S+?(?::\d+\s+\w+)?:\s+(?P<text>.*)$"
)
_FATAL = re.compile(r"^\*\*\* (?P<text>.*)$")
# What says nothing about the files: a validation has no network, so that the carrier cannot be reached
# from it, and starting a thousand phones at once fills queues.
_CIRCUMSTANCE = re.compile(r"sending OPTIONS request to endpoint|Network is unreachable|\btaskprocessor\.c\b")
# Follows from another line, which says why.
_ECHO = re.compile(r"^Some non-required modules failed to load\.$")

_AT_FILE_LINE = re.compile(r"line (?P<line>\d+) of /etc/asterisk/(?P<file>[\w.-]+)")
_IN_FILE = re.compile(r"configuration file '(?P<file>[\w.-]+)'")
_AT_LINE = re.compile(r"at line (?P<line>[1-9]\d*) of ?$")

_STEP = re.compile(r"(?:=>|^)\s*(?:\[[^\]]+\] )?\d+\. (?:\[[^\]]+\] )?(?P<app>\w+)\(", re.MULTILINE)
_PLACE = re.compile(r"\[(?P<file>[\w.-]+):(?P<line>\d+)\]\s*$")
_FUNCTION = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*)\(|\bSet\((?P<set>[A-Z][A-Z0-9_]*)\(")


@dataclass(frozen=True)
class Present:
    """What a running Asterisk has: names by kind (PJSIP kinds and ``context``), and its dialplan's means."""

    objects: Mapping[str, frozenset[str]]
    applications: frozenset[str]
    functions: frozenset[str]


def log_faults(log: str, files: Mapping[str, str]) -> list[str]:
    """Return the warnings and errors of a start, each once, with the line of ours they are about.

    :param log: Asterisk's log, in file or console format
    :param files: the validated tree, for quoting
    """
    entries = [entry for line in _ANSI.sub("", log).splitlines() if (entry := _entry(line))]
    faults: dict[str, None] = {}
    for index, text in enumerate(entries):
        if _ECHO.search(text):
            continue
        following = entries[index + 1] if index + 1 < len(entries) else ""
        quote = _quote(text, following, files)
        faults[f"{text} ({quote})" if quote else text] = None
    return list(faults)


def reference_faults(files: Mapping[str, str], present: Present) -> list[str]:
    """Return the references between objects that lead nowhere, which Asterisk accepts in silence."""
    faults = []
    for kind, section in _objects(files):
        for key, wanted in _REFERENCES.get(kind, {}).items():
            for item in _values(section, kind, key):
                for name in filter(None, (part.strip() for part in item.value.split(","))):
                    if name not in present.objects.get(wanted, frozenset()):
                        faults.append(
                            f"{item.file}:{item.line}: {kind} {section.name!r} names {wanted} {name!r}, "
                            f"which does not exist (Asterisk: {_asterisks_word(wanted, name)})"
                        )
    return faults


def dialplan_faults(contexts: Mapping[str, Sequence[str]], present: Present) -> list[str]:
    """Return the steps whose application or function is not loaded; a caller would find out first."""
    faults: dict[str, None] = {}
    for context, lines in contexts.items():
        for line in lines:
            place = _PLACE.search(line)
            where = f"{place['file']}:{place['line']}" if place else f"context {context!r}"
            step = _STEP.search(line)
            if step and step["app"].lower() not in present.applications:
                faults[f"{where}: no application {step['app']!r} is loaded; see modules.conf"] = None
            for found in _FUNCTION.finditer(line):
                name = found["name"] or found["set"]
                if name not in present.functions:
                    faults[f"{where}: no function {name!r} is loaded; see modules.conf"] = None
    return list(faults)


def missing_objects(required: Iterable[Mapping[str, str]], present: Present) -> list[str]:
    """Return the required objects ({type, name}) that Asterisk does not have."""
    pairs = [(item["type"], item["name"]) for item in required]
    return [
        f"{kind} {name!r} is missing (Asterisk: {_asterisks_word(kind, name)})"
        for kind, name in pairs
        if name not in present.objects.get(kind, frozenset())
    ]


def parse_applications(answer: str) -> frozenset[str]:
    """Return the names in `core show applications`, lower case: Asterisk ignores case there."""
    return frozenset(name.lower() for name in re.findall(r"^\s*(\w+): ", answer, re.MULTILINE))


def parse_functions(answer: str) -> frozenset[str]:
    """Return the names in `core show functions`."""
    return frozenset(re.findall(r"^([A-Z][A-Z0-9_]*)\s", answer, re.MULTILINE))


def _entry(line: str) -> str:
    """The message of a log line worth reporting, else ''."""
    match = _LOG_LINE.match(line) or _FATAL.match(line)
    if match is None or _CIRCUMSTANCE.search(line):
        return ""
    return match["text"].strip()


def _quote(text: str, following: str, files: Mapping[str, str]) -> str:
    """Return ``file:line: content`` of the line a message is about; the next message may hold the file."""
    match = _AT_FILE_LINE.search(text)
    if match:
        file, number = match["file"], int(match["line"])
    else:
        at, place = _AT_LINE.search(text), _IN_FILE.search(following)
        if not (at and place):
            return ""
        file, number = place["file"], int(at["line"])
    lines = files.get(file, "").splitlines()
    return f"{file}:{number}: {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""


def _objects(files: Mapping[str, str]) -> list[tuple[str, Section]]:
    """Return (type, section) of everything PJSIP makes objects of; a wizard counts as endpoint."""
    found = []
    for root in ("pjsip.conf", "pjsip_wizard.conf"):
        for section in conf.sections(files, root):
            kind = section.get("type")
            if kind and not section.is_template:
                found.append(("endpoint" if kind == "wizard" else kind, section))
    return found


def _values(section: Section, kind: str, key: str) -> list[Item]:
    """The effective item of a key; in a wizard it is written ``endpoint/key``, or plain for transport."""
    names = {key, f"{kind}/{key}"} if section.get("type") == "wizard" else {key}
    items = [item for item in section.items if item.key in names]
    return items[-1:]


def _asterisks_word(kind: str, name: str) -> str:
    if kind == "context":
        return f"There is no existence of '{name}' context"
    return f"Unable to find object {name}."
