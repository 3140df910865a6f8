# Copyright (c) The callcenter maintainers
# SPDX-License-Identifier: MIT
"""Which passwords a PBX must accept and which refuse: reading the wish, judging the answers. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.register import Answer, Credential, Outcome

MOST_NAMES = 20  # a list of 1,000 extensions helps nobody


@dataclass(frozen=True)
class Wish:
    """A credential, and whether it must be accepted or refused."""

    credential: Credential
    expected: Outcome


@dataclass(frozen=True)
class Unproven:
    """An extension that did not answer as it must: what was expected, and what came."""

    number: str
    expected: Outcome
    answer: Answer


def read_wishes(accepted: Any, refused: Any) -> list[Wish]:
    """Read both mappings of number to passwords.

    :raises ValueError: one of them is malformed, or they contradict each other. The text holds no password.
    """
    wishes = [
        Wish(Credential(str(number), str(password)), expected)
        for name, value, expected in (
            ("accepted", accepted, Outcome.ACCEPTED),
            ("refused", refused, Outcome.REFUSED),
        )
        for number, passwords in _mapping(name, value).items()
        for password in _passwords(f"{name}[{number}]", passwords)
    ]
    expected_of: dict[Credential, Outcome] = {}
    for wish in wishes:
        if expected_of.setdefault(wish.credential, wish.expected) is not wish.expected:
            raise ValueError(f"extension {wish.credential.user}: accepted and refused share a password")
    return wishes


def judge(wishes: Sequence[Wish], answers: Sequence[Answer]) -> list[Unproven]:
    """The extensions whose answer is not the one wished for, in order."""
    return [
        Unproven(wish.credential.user, wish.expected, answer)
        for wish, answer in zip(wishes, answers, strict=True)
        if answer.outcome is not wish.expected
    ]


def success(wishes: Sequence[Wish], server: str, seconds: float) -> str:
    """One sentence about a complete proof."""
    if not wishes:
        return "Nothing to prove: no password was given."
    accepted = sum(wish.expected is Outcome.ACCEPTED for wish in wishes)
    extensions = len({wish.credential.user for wish in wishes})
    return (
        f"{server} accepts {_count(accepted, 'password')} and refuses {len(wishes) - accepted}, as it must: "
        f"{_count(extensions, 'extension')}, {seconds:.1f} s."
    )


def failure(unproven: Sequence[Unproven], total: int, server: str) -> str:
    """What is wrong: one line for all extensions with the same answer."""
    groups: dict[tuple[Outcome, Answer], list[str]] = {}
    for one in unproven:
        groups.setdefault((one.expected, one.answer), []).append(one.number)
    return "\n".join(
        [
            f"{server} did not answer as it must to {len(unproven)} of {_count(total, 'password')}:",
            *(f"- {names(numbers)}: {_fault(*group)}" for group, numbers in groups.items()),
        ]
    )


def names(numbers: Iterable[str]) -> str:
    """``100, 101``, each once; only the first when there are many."""
    unique = list(dict.fromkeys(numbers))
    listed = ", ".join(unique[:MOST_NAMES])
    return f"{listed} and {len(unique) - MOST_NAMES} more" if len(unique) > MOST_NAMES else listed


def _fault(expected: Outcome, answer: Answer) -> str:
    if answer.outcome is Outcome.SILENT:
        return f"{answer.text}, while others were answered. Is the PBX overloaded?"
    if answer.outcome is Outcome.UNCHALLENGED:
        return f"accepted without any password ({answer.text}). Has the extension lost its auth objects?"
    if answer.outcome is Outcome.OTHER:
        return f"neither accepted nor refused, but {answer.text}."
    if expected is Outcome.ACCEPTED:
        return f"refused a password that must be accepted ({answer.text}). Is the new configuration loaded?"
    return f"accepted a password that must be refused ({answer.text}). Is the new configuration loaded?"


def _mapping(name: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is a mapping of extension numbers to lists of passwords")
    return value


def _passwords(name: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ValueError(f"{name} is a list of passwords")
    if not all(isinstance(password, str) and password for password in value):
        raise ValueError(f"{name}: a password is a string that is not empty. Quote it.")
    return value


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
