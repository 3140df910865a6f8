"""Checks on passwords. No message ever contains one: faults name the entry, never its value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.escape import value_problem
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault, Model, is_named

SHORTEST = 12
SHORTEST_OF_TRUNK = 16
"""A trunk's is worth money to whoever has it, and no person types it."""

LONGEST = 128
FEWEST_DIFFERENT = 6

_WELL_KNOWN = (
    "admin",
    "asterisk",
    "callcenter",
    "changeme",
    "letmein",
    "password",
    "passw0rd",
    "qwerty",
    "secret",
    "twilio",
    "welcome",
    "zoiper",
)
"""Words the world tries first, alone or decorated with digits and signs."""

_DECORATION = "0123456789!@#$%^&*()-_=+.,?"
_SEQUENCES = (
    "01234567890123456789",
    "98765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
)


_TOKEN = re.compile(r"[A-Za-z0-9_-]+")

OWNERS = (("pbx_extensions", "number"), ("pbx_trunks", "name"))
"""The lists whose items have passwords, and the key that a password goes by."""


@dataclass(frozen=True)
class Kind:
    """Whose passwords one mapping may hold: extensions, trunks, and how messages say so."""

    extensions: bool
    trunks: bool
    tokens: bool
    owners: str

    def names(self, model: Model) -> tuple[str, ...]:
        """Return the names of the model that may stand in the mapping."""
        extensions = [extension.number for extension in model.extensions] if self.extensions else []
        trunks = [trunk.name for trunk in model.trunks if trunk.has_credentials] if self.trunks else []
        tokens = token_names(model) if self.tokens else ()
        return tuple(filter(is_named, dict.fromkeys([*extensions, *trunks, *tokens])))


CURRENT = Kind(True, True, True, "extension or trunk")
PREVIOUS = Kind(True, False, True, "extension or inbound token")
NEXT = Kind(False, True, False, "trunk with an auth_username")


def token_names(model: Model) -> tuple[str, ...]:
    """Return the names of the inbound tokens: what carriers prove themselves with, as phones do."""
    return tuple(trunk.token_name for trunk in model.trunks if trunk.inbound_token and is_named(trunk.name))


def is_mixed(password: str) -> bool:
    """Tell whether a digit, a small and a capital letter are in it: Twilio takes no other."""
    return all(any(map(kind, password)) for kind in (str.isdigit, str.islower, str.isupper))


def shortest(name: str) -> int:
    """Return how many characters the password of an extension or trunk must have."""
    return SHORTEST if name.isdigit() else SHORTEST_OF_TRUNK


def weakness(password: str, owners: tuple[str, ...], least: int = SHORTEST) -> str | None:
    """Say why ``password`` is easy to guess, or return None.

    :param owners: the names it belongs to
    :param least: how many characters it must have
    """
    lowered = password.lower()
    if lowered.strip(_DECORATION) in _WELL_KNOWN:
        return "is a well-known password with or without digits around it"
    if len(password) < least:
        return f"is shorter than {least} characters"
    if any(owner and owner.lower() in lowered for owner in owners):
        return "contains the number or name it belongs to"
    if len(set(password)) < FEWEST_DIFFERENT:
        return f"has fewer than {FEWEST_DIFFERENT} different characters"
    if any(lowered in sequence for sequence in _SEQUENCES):
        return "is a keyboard or number sequence"
    return None


def wanted(model: Model) -> dict[str, tuple[str, ...]]:
    """Return the names that need a secret, each with the names its secret must not contain."""
    needed: dict[str, tuple[str, ...]] = {
        extension.number: (extension.number,) for extension in model.extensions
    }
    for trunk in model.trunks:
        if trunk.has_credentials:
            needed[trunk.name] = (trunk.name, trunk.auth_username)
        if trunk.inbound_token:
            needed[trunk.token_name] = (trunk.name,)
    return {name: words for name, words in needed.items() if is_named(name)}


def _unusable(secret: object, is_token: bool = False) -> tuple[str, str] | None:
    """Return what keeps ``secret`` from being used at all and the remedy, or None."""
    if not isinstance(secret, str):
        return "is not text", "Put the password in quotes"
    if is_token and not _TOKEN.fullmatch(secret):
        return "does not fit into a SIP URI", "Choose 16 or more letters and digits"
    problem = value_problem(secret) if secret else "is empty"
    if not problem and len(secret) > LONGEST:
        problem = f"is longer than {LONGEST} characters"
    return (problem, "Choose another password, printable text") if problem else None


def secret_faults(model: Model, secrets: object, weak_allowed: bool | None = None) -> Iterator[Fault]:
    """Yield what is wrong with ``secrets``, the value of ``pbx_secrets``.

    ``weak_allowed`` overrides the model's own ``pbx_allow_weak_passwords``.
    """
    if not isinstance(secrets, Mapping):
        yield Fault(
            "pbx_secrets",
            "is not a mapping of name to password",
            "Make them: make secrets SITE=<the directory below inventory>",
        )
        return
    usable = {}
    tokens = token_names(model)
    for name in wanted(model):
        variable = f"pbx_secrets[{name}]"
        secret = secrets.get(name)
        if secret is None:
            hint = "; quote the name, numbers without quotes are another key" if name.isdigit() else ""
            yield Fault(variable, "is missing", f"Add a password for it to vault.yml{hint}")
        elif problem := _unusable(secret, name in tokens):
            yield Fault(variable, *problem)
        else:
            usable[name] = secret
    if not (model.allow_weak_passwords if weak_allowed is None else weak_allowed):
        yield from _guessable(model, "pbx_secrets", usable, {})


def previous_faults(model: Model, previous: object, secrets: object) -> Iterator[Fault]:
    """Yield what is wrong with ``pbx_secrets_previous``: passwords on their way out, which may be weak."""
    current = secrets if isinstance(secrets, Mapping) else {}
    for name, secret in _entries("pbx_secrets_previous", previous, model, PREVIOUS):
        variable = f"pbx_secrets_previous[{name}]"
        if isinstance(secret, Fault):
            yield secret
        elif secret == current.get(name):
            yield Fault(
                variable, f"is the same as pbx_secrets[{name}]", "Remove it: nothing is being replaced"
            )


def next_faults(model: Model, following: object, secrets: object) -> Iterator[Fault]:
    """Yield what is wrong with ``pbx_secrets_next``: passwords on their way in, as good as any in use."""
    current = secrets if isinstance(secrets, Mapping) else {}
    usable: dict[str, str] = {}
    for name, secret in _entries("pbx_secrets_next", following, model, NEXT):
        if isinstance(secret, Fault):
            yield secret
        elif secret == current.get(name):
            yield Fault(
                f"pbx_secrets_next[{name}]",
                f"is the same as pbx_secrets[{name}]",
                "Remove it: nothing is being replaced",
            )
        else:
            usable[name] = secret
    if not model.allow_weak_passwords:
        taken = {secret: name for name, secret in current.items() if isinstance(secret, str)}
        yield from _guessable(model, "pbx_secrets_next", usable, taken)


def _entries(
    variable: str, secrets: object, model: Model, kind: Kind
) -> Iterator[tuple[str, str] | tuple[str, Fault]]:
    """Yield (name, secret) of each entry that concerns the model, a fault in place of an unusable secret."""
    if secrets is None:
        return
    if not isinstance(secrets, Mapping):
        remedy = "Write {} for none"
        yield "", Fault(variable, "is not a mapping of name to password", remedy)
        return
    tokens = token_names(model)
    for name in kind.names(model):
        if name in secrets:
            secret = secrets[name]
            problem = _unusable(secret, name in tokens)
            yield name, Fault(f"{variable}[{name}]", *problem) if problem else secret


def _guessable(
    model: Model, variable: str, secrets: Mapping[str, str], taken: Mapping[str, str]
) -> Iterator[Fault]:
    """Yield the weak and the repeated ones of usable ``secrets``; ``taken``: secret -> its owner."""
    owners = wanted(model)
    owner_of = dict(taken)
    for name, secret in secrets.items():
        weak = weakness(secret, owners[name], shortest(name))
        if weak:
            yield Fault(
                f"{variable}[{name}]",
                weak,
                f"Choose {shortest(name)} or more random characters "
                "(in a lab: pbx_allow_weak_passwords: true)",
            )
        elif secret in owner_of:
            yield Fault(
                f"{variable}[{name}]",
                f"is the same as that of {owner_of[secret]}",
                "Give each its own password",
            )
        owner_of.setdefault(secret, name)


def secret_warnings(
    model: Model,
    secrets: object,
    previous: object = None,
    following: object = None,
    elsewhere: Collection[str] = (),
) -> Iterator[Fault]:
    """Yield the names in the three mappings that nothing uses, here or ``elsewhere``."""
    for variable, found, kind in (
        ("pbx_secrets", secrets, CURRENT),
        ("pbx_secrets_previous", previous, PREVIOUS),
        ("pbx_secrets_next", following, NEXT),
    ):
        # Whose name or host could not be read may be the owner.
        read = model.is_read("pbx_extensions[].number", "pbx_trunks[].name", "pbx_trunks[].termination_host")
        if not (isinstance(found, Mapping) and read):
            continue
        known = kind.names(model)
        for name in found:
            if name not in known and name not in elsewhere:
                yield Fault(
                    f"{variable}[{str(name)[:40]}]",
                    f"belongs to no {kind.owners}",
                    _stray_remedy(name, known),
                )


def _stray_remedy(name: object, known: tuple[str, ...]) -> str:
    if str(name) in known:
        return "Quote the number: without quotes it is another key"
    return "Remove it, or check the spelling"
