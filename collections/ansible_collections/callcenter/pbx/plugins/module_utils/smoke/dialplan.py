# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Ask the running dialplan where dialled numbers lead, as Asterisk itself would go.

Asterisk chooses the pattern (`dialplan show NUMBER@CONTEXT` lists what matches, best first); what the chosen
steps jump to or dial is read by `numbering.resolve_dial`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.dialplan import resolve_dial

_FIRST_STEP = re.compile(r"^  '(?P<pattern>[^']+)' (?:\(CID match '[^']*'\) )?=>\s+(?P<step>.*)$")
_STEP = re.compile(r"^\s*(?:\[[^]]*\]\s+)?\d+\. (?P<application>.+?)\s*\[[^\[\]]+\]\s*$")


@dataclass(frozen=True)
class Match:
    """The extension Asterisk takes for a number: its pattern, and its applications in order."""

    pattern: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Resolution:
    """Where a number leads: the first argument of the Dial reached, V(refused), or None for nowhere.

    ``path`` is the way there, one ``number@context (pattern)`` a stop.
    """

    target: str | None
    path: tuple[str, ...]


class _NotAskedYet(Exception):
    """The dialplan has to be asked about this number before going on."""

    def __init__(self, context: str, number: str) -> None:
        super().__init__(context, number)
        self.question = (context, number)


def first_match(answer: str) -> Match | None:
    """Read the first extension in the answer of `dialplan show NUMBER@CONTEXT`; None when nothing matches."""
    pattern = ""
    steps: list[str] = []
    for line in answer.splitlines():
        first = _FIRST_STEP.match(line)
        if first and pattern:
            break
        if first:
            pattern = first["pattern"]
        step = _STEP.match(first["step"] if first else line)
        if pattern and step:
            steps.append(step["application"])
        elif pattern and not first:
            break
    return Match(pattern, tuple(steps)) if pattern else None


def question(context: str, number: str) -> str:
    """The console command that shows what a number runs in a context."""
    return f"dialplan show {number}@{context}"


def resolve_all(
    dialled: Iterable[tuple[str, str]], ask: Callable[[Sequence[str]], Sequence[str]]
) -> dict[tuple[str, str], Resolution]:
    """Follow every (context, number) to its end.

    :param ask: runs console commands and returns one answer each; it is called once for each jump of the
        longest way, with everything the next jumps need to know
    """
    known: dict[tuple[str, str], Match | None] = {}
    resolved: dict[tuple[str, str], Resolution] = {}
    waiting = list(dict.fromkeys(dialled))
    open_questions = list(waiting)
    while open_questions:
        answers = ask([question(context, number) for context, number in open_questions])
        known.update(zip(open_questions, map(first_match, answers), strict=True))
        open_questions, still_waiting = [], []
        for start in waiting:
            try:
                resolved[start] = _resolve(known, *start)
            except _NotAskedYet as missing:
                still_waiting.append(start)
                if missing.question not in open_questions:
                    open_questions.append(missing.question)
        waiting = still_waiting
    return resolved


def _resolve(known: dict[tuple[str, str], Match | None], context: str, number: str) -> Resolution:
    path: list[str] = []

    def steps_of(context: str, number: str) -> tuple[str, ...] | None:
        if (context, number) not in known:
            raise _NotAskedYet(context, number)
        match = known[context, number]
        path.append(f"{number}@{context} ({match.pattern if match else 'no match'})")
        return match.steps if match else None

    return Resolution(resolve_dial(steps_of, context, number), tuple(path))
