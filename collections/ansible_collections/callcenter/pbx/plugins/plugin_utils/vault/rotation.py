"""Rotating passwords: what to change, how a run that was cut short is told, how it is undone and proven.

The states of a rotation, with the journal that lies beside the vault meanwhile:

- *begin*: the journal is written, then the vault with the new passwords takes the old one's place.
- *settle*: the proof has passed; the journal goes.
- *restore*: something failed; names that still have what was written get back what they had.
- *recover*: a journal of a run that is gone. Names with what was written are deployed and proven; where the
  vault still has what it had, nothing had happened yet; names that somebody has edited since are left alone.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.passwords import (
    is_mixed,
    token_names,
    wanted,
    weakness,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import (
    NEXT,
    PREVIOUS,
    SECRETS,
    Change,
    Maps,
)

Kind = Literal["rotate", "overlap", "finish"]
Status = Literal["written", "former", "edited"]

PASSWORD_LENGTH = 24
LOOK_ALIKES = "0Oo1lI"
_LETTERS = "".join(sorted(set(string.ascii_letters) - set(LOOK_ALIKES)))
_ALPHABET = _LETTERS + "".join(sorted(set(string.digits) - set(LOOK_ALIKES)))


class RotationError(ValueError):
    """The request cannot be carried out; the message names the choices and holds no password."""


@dataclass(frozen=True)
class Known:
    """The names of a site that need a password, each with the words its password must not contain."""

    owners: Mapping[str, tuple[str, ...]]
    extensions: tuple[str, ...]
    tokens: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Model) -> Known:
        """Return the names of ``model``."""
        owners = wanted(model)
        extensions = tuple(one.number for one in model.extensions if one.number in owners)
        return cls(owners, extensions, token_names(model))

    def is_extension(self, name: str) -> bool:
        """True for a phone, False for a trunk."""
        return name in self.extensions

    def is_asked_for(self, name: str) -> bool:
        """True where the PBX asks for the password, which a phone or a carrier gives; it may take two."""
        return name in self.extensions or name in self.tokens


@dataclass(frozen=True)
class Request:
    """What a run is asked for. ``names`` is empty when all overlaps are to be finished."""

    kind: Kind
    names: tuple[str, ...]


@dataclass(frozen=True)
class Owner:
    """The process that runs a rotation: ``started`` tells it from a later one with the same number."""

    host: str
    pid: int
    started: str


@dataclass(frozen=True)
class Journal:
    """What lies beside the vault while a rotation is under way."""

    kind: Kind
    owner: Owner
    changes: tuple[Change, ...]
    restored: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names it is about, each once."""
        return tuple(dict.fromkeys(change.name for change in self.changes))

    def statuses(self, maps: Maps) -> dict[str, Status]:
        """Say for each name what the vault has now: what was written, what was there before, or neither."""
        found: dict[str, Status] = {}
        for name in self.names:
            own = [(change, maps[change.map].get(name)) for change in self.changes if change.name == name]
            if all(current == change.written for change, current in own):
                found[name] = "written"
            elif all(current == change.former for change, current in own):
                found[name] = "former"
            else:
                found[name] = "edited"
        return found

    def undoing(self, maps: Maps) -> tuple[Change, ...]:
        """Return what puts back the names that have what was written; the others were edited later."""
        statuses = self.statuses(maps)
        return tuple(
            Change(change.map, change.name, change.written, change.former)
            for change in self.changes
            if statuses[change.name] == "written"
        )

    def to_json(self) -> str:
        """Return it as text; it holds passwords."""
        return json.dumps({"version": 1, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Journal:
        """Read it back. Raises ValueError, without a word of the text, for anything else."""
        try:
            found: dict[str, Any] = json.loads(text)
            changes = tuple(Change(**change) for change in found["changes"])
            journal = cls(found["kind"], Owner(**found["owner"]), changes, found["restored"])
        except (ValueError, KeyError, TypeError):
            raise ValueError("is not a journal of a rotation") from None
        return journal

    def adopted_by(self, owner: Owner, names: Iterable[str]) -> Journal:
        """Return it as the journal of another run, about these names alone."""
        kept = set(names)
        return replace(
            self, owner=owner, changes=tuple(change for change in self.changes if change.name in kept)
        )

    def undone(self) -> Journal:
        """Return it as the journal of a rotation whose vault is as before."""
        return replace(self, restored=True)


def read_request(rotate: object, overlap: bool, finish: bool, known: Known) -> Request:
    """Understand a run's variables: ``rotate`` is a list, or text: ``extensions``, ``all``, names and commas.

    Raises RotationError with the choices.
    """
    choices = ", ".join(known.owners)
    if overlap and finish:
        raise RotationError("overlap begins what finish ends: give one of them")
    words = _words(rotate)
    if not words and not finish:
        raise RotationError(
            f"Nothing to rotate was named. Give -e rotate=extensions, -e rotate=all, or names of: {choices}; "
            "-e finish=true finishes an overlap"
        )
    names: dict[str, None] = {}
    unknown = []
    for word in words:
        if word in known.owners:
            names[word] = None
        elif word == "all":
            # The carrier learns a new token from people alone: until then no call would come in.
            spared = () if overlap or finish else known.tokens
            names.update(dict.fromkeys(name for name in known.owners if name not in spared))
        elif word == "extensions":
            names.update(dict.fromkeys(known.extensions))
        else:
            unknown.append(word)
    if unknown:
        raise RotationError(
            f"rotate names {', '.join(repr(word[:40]) for word in unknown)}, which has no password here. "
            f"Known are: extensions, all, {choices}"
        )
    hasty = [name for name in names if name in known.tokens and not (overlap or finish)]
    if hasty:
        raise RotationError(
            f"{', '.join(hasty)}: no call would come in before the carrier knows the new token. "
            "Give -e overlap=true, tell the carrier, then -e finish=true"
        )
    return Request("finish" if finish else "overlap" if overlap else "rotate", tuple(names))


def _words(rotate: object) -> list[str]:
    items: Iterable[object] = (
        rotate if isinstance(rotate, Sequence) and not isinstance(rotate, str | bytes) else [rotate]
    )
    words = [word.strip() for item in items if item is not None for word in str(item).split(",")]
    return [word for word in words if word]


def new_password(owners: tuple[str, ...], taken: Iterable[str] = ()) -> str:
    """Return a random password of letters and digits that are not mistaken for one another.

    A letter comes first, and both kinds of letters and a digit are in it.
    """
    others = set(taken)
    while True:
        made = secrets.choice(_LETTERS) + "".join(
            secrets.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH - 1)
        )
        if made not in others and is_mixed(made) and weakness(made, owners) is None:
            return made


def completion(maps: Maps, known: Known) -> tuple[Change, ...]:
    """Return what gives every name without a password one."""
    there = maps[SECRETS]
    taken = [password for entries in maps.values() for password in entries.values()]
    changes: list[Change] = []
    for name, owners in known.owners.items():
        if not there.get(name):
            made = new_password(owners, taken)
            taken.append(made)
            changes.append(Change(SECRETS, name, there.get(name), made))
    return tuple(changes)


def plan(maps: Maps, request: Request, known: Known) -> tuple[Change, ...]:
    """Return what the rotation writes. Raises RotationError for a name whose state does not allow it."""
    if request.kind == "finish":
        return _finish(maps, request, known)
    _refuse_unfinished(maps, request, known)
    taken = [password for entries in maps.values() for password in entries.values()]
    changes: list[Change] = []
    for name in request.names:
        current, previous = maps[SECRETS].get(name), maps[PREVIOUS].get(name)
        made = new_password(known.owners[name], taken)
        taken.append(made)
        if request.kind == "overlap" and not known.is_asked_for(name):
            changes.append(Change(NEXT, name, maps[NEXT].get(name), made))
            continue
        changes.append(Change(SECRETS, name, current, made))
        if request.kind == "overlap" and current:
            changes.append(Change(PREVIOUS, name, previous, current))
        elif previous is not None:
            changes.append(Change(PREVIOUS, name, previous, None))
    return tuple(changes)


def _finish(maps: Maps, request: Request, known: Known) -> tuple[Change, ...]:
    changes: list[Change] = []
    for name in request.names or known.owners:
        previous, following = maps[PREVIOUS].get(name), maps[NEXT].get(name)
        if known.is_asked_for(name) and previous is not None:
            changes.append(Change(PREVIOUS, name, previous, None))
        elif not known.is_asked_for(name) and following:
            changes.append(Change(SECRETS, name, maps[SECRETS].get(name), following))
            changes.append(Change(NEXT, name, following, None))
    return tuple(changes)


def _refuse_unfinished(maps: Maps, request: Request, known: Known) -> None:
    waiting = [name for name in request.names if not known.is_extension(name) and maps[NEXT].get(name)]
    if request.kind == "overlap":
        waiting += [name for name in request.names if maps[PREVIOUS].get(name)]
    if waiting:
        names = ",".join(waiting)
        raise RotationError(
            f"An overlap is not finished yet for {', '.join(waiting)}: "
            f"first run with -e rotate={names} -e finish=true"
        )


def proof(journal: Journal, maps: Maps, known_names: Iterable[str]) -> dict[str, Any]:
    """Return what the servers must do now: passwords they accept and refuse, by extension; those of trunks.

    Holds passwords. ``known_names``: what the site has today; an extension that is gone proves nothing.
    """
    accepted: dict[str, list[str]] = {}
    refused: dict[str, list[str]] = {}
    trunks: dict[str, str] = {}
    here = set(known_names)
    for name in journal.names:
        if name not in here:
            continue
        current = maps[SECRETS].get(name, "")
        if not name.isdigit():
            trunks[name] = current
            continue
        accepted[name] = [password for password in (current, maps[PREVIOUS].get(name)) if password]
        mentioned = [
            value
            for change in journal.changes
            if change.name == name
            for value in (change.former, change.written)
        ]
        gone = [value for value in dict.fromkeys(mentioned) if value and value not in accepted[name]]
        if gone:
            refused[name] = gone
    return {"accepted": accepted, "refused": refused, "trunks": trunks}
