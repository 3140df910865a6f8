"""Checks on passwords. No message ever contains one: faults name the entry, never its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .conf import value_problem
from .model import Fault, Model

SHORTEST = 12
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


def weakness(password: str, owners: tuple[str, ...]) -> str | None:
    """Say why ``password`` is easy to guess, or return None. ``owners``: the names it belongs to."""
    lowered = password.lower()
    if lowered.strip(_DECORATION) in _WELL_KNOWN:
        return "is a well-known password with or without digits around it"
    if len(password) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
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
        if trunk.termination_host:
            needed[trunk.name] = (trunk.name, trunk.auth_username)
    return needed


def secret_faults(model: Model, secrets: object, weak_allowed: bool | None = None) -> Iterator[Fault]:
    """Yield what is wrong with ``secrets``, the value of ``pbx_secrets``.

    ``weak_allowed`` overrides the model's own ``pbx_allow_weak_passwords``.
    """
    allowed = model.allow_weak_passwords if weak_allowed is None else weak_allowed
    if not isinstance(secrets, Mapping):
        yield Fault(
            "pbx_secrets",
            "is not a mapping of name to password",
            "Make them: make secrets SITE=<the directory below inventory>",
        )
        return
    owners_of: dict[str, str] = {}
    for name, owners in wanted(model).items():
        variable = f"pbx_secrets[{name}]"
        secret = secrets.get(name)
        if secret is None:
            hint = "; quote the name, numbers without quotes are another key" if name.isdigit() else ""
            yield Fault(variable, "is missing", f"Add a password for it to vault.yml{hint}")
            continue
        if not isinstance(secret, str):
            yield Fault(variable, "is not text", "Put the password in quotes")
            continue
        problem = value_problem(secret) if secret else "is empty"
        if problem or len(secret) > LONGEST:
            yield Fault(
                variable,
                problem or f"is longer than {LONGEST} characters",
                "Choose another password, printable text",
            )
            continue
        weak = weakness(secret, owners)
        if weak and not allowed:
            yield Fault(
                variable,
                weak,
                f"Choose {SHORTEST} or more random characters (in a lab: pbx_allow_weak_passwords: true)",
            )
        elif secret in owners_of and not allowed:
            yield Fault(variable, f"is the same as that of {owners_of[secret]}", "Give each its own password")
        owners_of.setdefault(secret, name)


def secret_warnings(model: Model, secrets: object) -> Iterator[Fault]:
    """Yield the names in ``secrets`` that nothing uses."""
    if not isinstance(secrets, Mapping):
        return
    known = wanted(model)
    for name in secrets:
        if name not in known and model.complete:
            yield Fault(
                f"pbx_secrets[{str(name)[:40]}]",
                "belongs to no extension or trunk",
                "Remove it, or check the spelling",
            )
