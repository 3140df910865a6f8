# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What a site's own dialplan may not do: leave its contexts, go round the outbound policy, run programs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.reserved import (
    INTERNAL_CONTEXTS,
    RESERVED_CONTEXTS,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.site.lines import Line

PREFIX = "site-"
"""Every context of a site begins so: none is ours, and none a carrier's."""

REACHED = (*INTERNAL_CONTEXTS, "emergency", "extensions", "outbound-call", "refused")
"""Contexts of ours that a call may go on to: each looks at what was dialled."""

_KEYS = ("exten", "same", "include", "hint", "ignorepat")

# Programs, files and networks of the server; calls that nobody has counted; listening in.
_APPLICATIONS = (
    "AGI AsyncAGI AudioSocket ChanSpy DeadAGI EAGI Exec ExecIf ExecIfTime ExtenSpy ExternalIVR FastAGI "
    "FollowMe MixMonitor Originate ReadFile ReceiveFax SendFax Stasis System TryExec TrySystem"
).split()
_FUNCTIONS = "AST_CONFIG CURL ENV EVAL FILE REALTIME SHELL STAT".split()
_REFUSED = re.compile(rf"\b(?P<name>{'|'.join((*_APPLICATIONS, *_FUNCTIONS))})\s*\(", re.IGNORECASE)
_DIALS = re.compile(
    r"\b(?P<name>Dial|RetryDial|Page|Transfer|BridgeAdd)\s*\((?P<to>[^,)]*)(?P<rest>.*)", re.IGNORECASE
)
_JUMPS = re.compile(r"\b(?:Goto|GotoIf|GotoIfTime|Gosub|GosubIf|Macro)\s*\((?P<to>.*)\)", re.IGNORECASE)
_OPTIONS_THAT_JUMP = re.compile(r"[bBFGMU]\(")
_LOCAL = re.compile(r"Local/[^@&,$]*@(?P<context>[^/&,$]+)(?:/n)?", re.IGNORECASE)
_VARIABLE = re.compile(r"[$][{\[][^{}\[\]]*[}\]]")

Found = Iterator[tuple[Line, str, str]]


def faults(model: Model, lines: list[Line]) -> Found:
    """Yield (line, problem, remedy)."""
    numbers = {extension.number for extension in model.extensions}
    closed = {trunk.context for trunk in model.trunks} | (set(RESERVED_CONTEXTS) - set(REACHED))
    for line in lines:
        if line.is_header:
            yield from _header(line)
        elif line.key not in _KEYS:
            yield line, f"{line.key or line.text} is not known here", f"Write one of: {', '.join(_KEYS)}"
        elif line.key == "include":
            context = line.value.split(",")[0].strip()
            if not (context.startswith(PREFIX) or context == "extensions"):
                yield line, f"includes {context}", "Include contexts of the site's own, or extensions"
        else:
            yield from _applications(line)
            yield from _dials(line, numbers)
            yield from _jumps(line, closed)


def _header(line: Line) -> Found:
    if not line.section.startswith(PREFIX) or line.flags:
        reached = " and ".join(f"[{PREFIX}{name}]" for name in INTERNAL_CONTEXTS)
        yield (
            line,
            f"{line.text} is no context of the site's own",
            f"Name it [{PREFIX}<something>]; the phones of {' and '.join(INTERNAL_CONTEXTS)} reach {reached}",
        )


def _applications(line: Line) -> Found:
    for found in _REFUSED.finditer(line.value):
        yield (
            line,
            f"uses {found['name']}, which leaves the dialplan",
            "Do without: a site's dialplan runs no program, reads no file and places no call by itself",
        )


def _dials(line: Line, numbers: set[str]) -> Found:
    for found in _DIALS.finditer(line.value):
        for to in filter(None, map(str.strip, found["to"].split("&"))):
            kind, _, name = to.partition("/")
            local = _LOCAL.fullmatch(to)
            inside = kind.upper() == "PJSIP" and name in numbers
            if not inside and not (local and _is_reached(local["context"])):
                yield (
                    line,
                    f"calls {to}, which no policy has looked at",
                    "Call an extension, as PJSIP/100; outside, Goto(outbound-call,+<number>,1)",
                )
        if _OPTIONS_THAT_JUMP.search(found["rest"]):
            yield (
                line,
                f"gives {found['name']} an option that goes elsewhere",
                "Leave out b, B, F, G, M and U",
            )


def _jumps(line: Line, closed: set[str]) -> Found:
    for found in _JUMPS.finditer(line.value):
        plain = found["to"]
        while (replaced := _VARIABLE.sub("\0", plain)) != plain:
            plain = replaced
        for way in plain.rpartition("?")[2].split(":"):
            parts = [part.strip() for part in way.partition("(")[0].split(",")]
            if len(parts) >= 3 and not _is_reached(parts[0]):
                shown = parts[0].replace("\0", "${...}")
                yield (
                    line,
                    f"goes to {shown}, which is not open to it",
                    f"Go to a context of the site's own, or {', '.join(REACHED)}",
                )
    for name in sorted(closed):
        if re.search(rf"(?<![\w-]){re.escape(name)}(?=[,^)]|$)", line.value):
            yield line, f"names {name}, which is not open to it", f"Use {', '.join(REACHED)}"


def _is_reached(context: str) -> bool:
    return "\0" not in context and (context.startswith(PREFIX) or context in REACHED)
