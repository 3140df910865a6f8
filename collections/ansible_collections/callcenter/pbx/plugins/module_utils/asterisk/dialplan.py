"""Asterisk's dialled-number patterns, matched and resolved as Asterisk does.

Standard library only: the smoke checks run this on the server too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_CLASSES = {"X": frozenset("0123456789"), "Z": frozenset("123456789"), "N": frozenset("23456789")}
_MOST_SPECIFIC_WILDCARD = 256
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_e164(number: str) -> bool:
    """True for ``+`` and 7 to 15 digits, the first not 0."""
    return _E164.fullmatch(number) is not None


@dataclass(frozen=True)
class _Any:
    """The end of a pattern that takes anything: ``.`` one character or more, ``!`` none or more."""

    least: int


def _members(text: str) -> frozenset[str]:
    """Expand the inside of a bracket, ``2-46`` -> {2, 3, 4, 6}."""
    found: set[str] = set()
    position = 0
    while position < len(text):
        if position + 2 < len(text) and text[position + 1] == "-":
            found.update(chr(code) for code in range(ord(text[position]), ord(text[position + 2]) + 1))
            position += 3
        else:
            found.add(text[position])
            position += 1
    return frozenset(found)


def _tokens(pattern: str) -> list[frozenset[str] | _Any]:
    """Split a pattern without its ``_`` into a set of characters a position, and a final wildcard."""
    tokens: list[frozenset[str] | _Any] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character in ".!":
            tokens.append(_Any(1 if character == "." else 0))
            break
        if character == "[":
            end = pattern.find("]", position)
            if end < 0:
                raise ValueError(f"the pattern _{pattern} has an opening bracket without a closing one")
            tokens.append(_members(pattern[position + 1 : end]))
            position = end
        elif character not in "- ":
            tokens.append(_CLASSES.get(character.upper(), frozenset(character)))
        position += 1
    return tokens


def matches(pattern: str, dialled: str) -> bool:
    """True when Asterisk's extension ``pattern`` (exact without a leading ``_``) takes ``dialled``."""
    if not pattern.startswith("_"):
        return pattern == dialled
    rest = dialled
    for token in _tokens(pattern[1:]):
        if isinstance(token, _Any):
            return len(rest) >= token.least
        if not rest or rest[0] not in token:
            return False
        rest = rest[1:]
    return not rest


def _rank(pattern: str) -> tuple[object, ...]:
    """Sort key: Asterisk takes an exact number first, then the smaller set, position by position."""
    if not pattern.startswith("_"):
        return (0,)
    sizes = [
        _MOST_SPECIFIC_WILDCARD + (1 - token.least) if isinstance(token, _Any) else len(token)
        for token in _tokens(pattern[1:])
    ]
    return (1, tuple(sizes))


def best_match(patterns: Iterable[str], dialled: str) -> str | None:
    """Return the pattern Asterisk would choose for ``dialled`` within one context, or None."""
    fitting = sorted((pattern for pattern in patterns if matches(pattern, dialled)), key=_rank)
    return fitting[0] if fitting else None


# --- Reading a dialplan ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Context:
    """One dialplan context: the steps of each extension and what it includes, both in order."""

    extensions: Mapping[str, tuple[str, ...]]
    includes: tuple[str, ...] = ()


_SECTION = re.compile(r"\[([^]]+)\]")
_STEP = re.compile(r"(?:exten|same)\s*=>\s*(.*)")


def parse_dialplan(text: str) -> dict[str, Context]:
    """Read the contexts of an ``extensions.conf`` (its own ``[general]`` and ``[globals]`` left out)."""
    extensions: dict[str, dict[str, list[str]]] = {}
    includes: dict[str, list[str]] = {}
    context = exten = ""
    for raw in text.splitlines():
        line = raw.strip()
        section = _SECTION.match(line)
        if section:
            context = section[1]
            if context not in ("general", "globals"):
                extensions.setdefault(context, {})
                includes.setdefault(context, [])
        elif context not in extensions or not line or line.startswith(";"):
            continue
        elif line.startswith("include"):
            includes[context].append(line.partition("=>")[2].strip())
        elif step := _STEP.match(line):
            body = step[1]
            if line.startswith("exten"):
                exten, _, body = body.partition(",")
            extensions[context].setdefault(exten.strip(), []).append(body.split(",", 1)[1].strip())
    return {
        name: Context({exten: tuple(steps) for exten, steps in found.items()}, tuple(includes[name]))
        for name, found in extensions.items()
    }


def find_steps(dialplan: Mapping[str, Context], context: str, dialled: str) -> tuple[str, ...] | None:
    """Return the steps that ``dialled`` runs: the context's own extensions first, then each include."""
    here = dialplan.get(context)
    if here is None:
        return None
    found = best_match(here.extensions, dialled)
    if found is not None:
        return here.extensions[found]
    for included in here.includes:
        steps = find_steps(dialplan, included, dialled)
        if steps is not None:
            return steps
    return None


_EXTEN = re.compile(r"\$\{EXTEN(?::(\d+))?\}")
_FILTERED = re.compile(r"\$\{FILTER\(([^,{}]*),\$\{EXTEN\}\)\}")
_GOTO = re.compile(r"Goto\(([^,()]+),(.+),1\)")
_DIAL = re.compile(r"Dial\(([^,]*)")
_RUNG = re.compile(r"Gosub\(registered,s,1\(([^()]*)\)\)")
_LONGEST_CHAIN = 8


def _resolved(step: str, context: str, dialled: str) -> str:
    """Return a step with what it says about the dialled number filled in."""
    step = _FILTERED.sub(lambda found: "".join(one for one in dialled if one in _members(found[1])), step)
    step = _EXTEN.sub(lambda found: dialled[int(found[1] or 0) :], step)
    return step.replace("${CONTEXT}", context)


def resolve_dial(
    steps_of: Callable[[str, str], tuple[str, ...] | None], context: str, dialled: str
) -> str | None:
    """Follow ``dialled`` from ``context`` to what is finally dialled.

    ``steps_of(context, number)`` gives the applications that run, in order (for a file: ``find_steps``; for a
    running PBX: the lines of ``dialplan show number@context``). Returns the first argument of that Dial, with
    what is dialled filled in, and the extensions where it rings their phones; the word ``refused`` for a
    number that is refused on purpose; or None when the number leads nowhere.
    """
    for _ in range(_LONGEST_CHAIN):
        steps = steps_of(context, dialled)
        if steps is None:
            return None
        extensions = ""
        for step in steps:
            resolved = _resolved(step, context, dialled)
            if rung := _RUNG.match(resolved):
                extensions = rung[1]
            if dial := _DIAL.match(resolved):
                return extensions or dial[1]
            if goto := _GOTO.match(resolved):
                context, dialled = goto[1], goto[2]
                break
        else:
            return None
        if context == "refused":
            return "refused"
    return None
