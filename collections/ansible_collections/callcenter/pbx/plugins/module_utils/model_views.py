"""Derived views of the model: what the templates write, the firewall protects and the smoke checks expect.

Every text in a view has gone through `asterisk_value`, so a template cannot forget to escape one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from .conf import asterisk_value
from .model import NORTH_AMERICA, CatchAll, Destination, Extension, Model, Trunk

SIP_REALM = "asterisk"
"""The realm of every challenge. It is part of each stored digest."""

Phones = Mapping[str, Extension]

_NO_FORWARDING = "i"
"""Dial() option: a phone or carrier that answers with a redirection does not make the PBX dial elsewhere."""

_CHECKED_ITEMS = 3
_SAMPLE_NATIONAL = "5551234567"


# --- Names ----------------------------------------------------------------------------------------


def sections(trunk: Trunk) -> list[str]:
    """Return the names of the trunk's sections in pjsip.conf, the endpoint's first."""
    names = [trunk.name, f"{trunk.name}-identify"]
    if trunk.termination_host:
        names.append(f"{trunk.name}-auth")
    if trunk_contacts(trunk):
        names.append(f"{trunk.name}-aor")
    return names


def trunk_contacts(trunk: Trunk) -> list[str]:
    """Return the URIs to qualify: the declared ones and the route that calls really take."""
    dialled = [f"sip:{trunk.termination_host}"] if trunk.termination_host else []
    return list(dict.fromkeys([*trunk.contacts, *dialled]))


def auth_names(model: Model, extension: Extension) -> list[str]:
    """Return the phone's auth objects; during an overlap the one of the former password comes second."""
    former = [f"{extension.number}-previous"] if extension.number in model.overlap else []
    return [f"{extension.number}-iauth", *former]


# --- Dialling -------------------------------------------------------------------------------------


def dial_target(extension: Extension) -> str:
    """Return what Dial() rings: the one phone, or each of several registered under the same number."""
    if extension.max_contacts > 1:
        return f"${{PJSIP_DIAL_CONTACTS({extension.number})}}"
    return f"PJSIP/{extension.number}"


def outbound_patterns(model: Model) -> list[tuple[str, str]]:
    """Return (pattern, E.164 expression) of every way to dial outside with the dial prefix.

    The national forms need a known length, so they exist for North America only.
    """
    out = model.outbound
    prefix, country = out.dial_prefix, out.country_code
    found = [(f"_{prefix}+.", f"+${{EXTEN:{len(prefix) + 1}}}")]
    if country == NORTH_AMERICA:
        found += [
            (f"_{prefix}{country}NXXXXXXXXX", f"+${{EXTEN:{len(prefix)}}}"),
            (f"_{prefix}NXXXXXXXXX", f"+{country}${{EXTEN:{len(prefix)}}}"),
            (f"_{prefix}{country}{country}NXXXXXXXXX", f"+${{EXTEN:{len(prefix) + 1}}}"),
        ]
    return found


_ABOUT_OUTBOUND = (
    "and a number in E.164",
    "and country code and ten digits",
    "and ten digits",
    "and a long-distance 1, country code and ten digits",
)


def emergency_numbers(model: Model) -> dict[str, str]:
    """Return what may be dialled, with and without the dial prefix -> the emergency number it means."""
    emergency = model.outbound.emergency
    found: dict[str, str] = {}
    for number in (*emergency.numbers, *emergency.test_numbers):
        found[number] = number
        found[model.outbound.dial_prefix + number] = number
    return found


def carrier_uri(model: Model, number: str) -> str:
    """Return the Dial() argument that reaches ``number`` through the outbound trunk."""
    trunk = model.trunk(model.outbound.trunk)
    host = trunk.termination_host if trunk else ""
    return f"PJSIP/{model.outbound.trunk}/sip:{number}@{host}"


def _route(phones: Phones, exten: str, about: str, place: Destination | CatchAll) -> dict[str, Any]:
    """Return one inbound route: a Goto for one extension under its own ring time, else a Dial."""
    rung = [phones[number] for number in place.extensions if number in phones]
    options = place.dial_options if isinstance(place, Destination) else ""
    plain = len(rung) == 1 and not options and rung[0].ring_seconds == place.ring_seconds
    return {
        "exten": exten,
        "about": about,
        "goto": rung[0].number if plain else "",
        "dial": "&".join(dial_target(extension) for extension in rung),
        "ring_seconds": place.ring_seconds,
        "options": options + _NO_FORWARDING,
    }


def inbound_routes(model: Model, context: str) -> list[dict[str, Any]]:
    """Return the routes of one inbound context: each DID, its national form, then the catch-alls."""
    home = f"+{model.outbound.country_code}"
    phones = {extension.number: extension for extension in model.extensions}
    routes = []
    for did in model.dids:
        for place in did.destinations:
            if place.context != context:
                continue
            routes.append(_route(phones, did.number, "DID", place))
            if did.number.startswith(home):
                national = did.number.removeprefix(home)
                routes.append(_route(phones, national, "DID without country code", place))
    for trunk in model.trunks:
        if trunk.context == context and trunk.catch_all:
            for prefix in trunk.catch_all.prefixes:
                routes.append(_route(phones, f"_{prefix}.", f"any other {prefix} number", trunk.catch_all))
    return routes


def policy(model: Model) -> list[dict[str, str]]:
    """Return the destination policy as patterns; Asterisk takes the longest matching one."""
    out = model.outbound
    verdicts = dict.fromkeys(out.allowed_prefixes, "allowed") | dict.fromkeys(out.denied_prefixes, "denied")
    verdicts.setdefault("+", "denied")
    return [{"exten": f"_{prefix}!", "verdict": verdicts[prefix]} for prefix in sorted(verdicts)]


# --- The whole ------------------------------------------------------------------------------------


def _escaped(value: Any) -> Any:
    """Return ``value`` with every text in it as Asterisk reads it back unchanged."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return asterisk_value(value) if isinstance(value, str) else value


def _entity_id(model: Model) -> str:
    """Return a locally administered hardware address made of the public address."""
    packed = model.public_address.packed if model.public_address else bytes(4)
    return ":".join(f"{byte:02x}" for byte in (2, 0, *packed))


def config_view(model: Model) -> dict[str, Any]:
    """Return everything the configuration templates need, ready to write."""
    out = model.outbound
    view: dict[str, Any] = {
        "public_address": str(model.public_address),
        "sip_port": model.sip_port,
        "rtp_first": model.rtp_ports.first,
        "rtp_last": model.rtp_ports.last_odd,
        "rtp_calls": model.rtp_ports.calls,
        "max_calls": model.max_calls,
        "entity_id": _entity_id(model),
        "realm": SIP_REALM,
        "extensions": [
            {
                "number": extension.number,
                "name": extension.name,
                "context": extension.context,
                "codecs": ",".join(extension.codecs),
                "max_contacts": extension.max_contacts,
                "ring_seconds": extension.ring_seconds,
                "auth": ",".join(auth_names(model, extension)),
                "dial": dial_target(extension),
            }
            for extension in model.extensions
        ],
        "trunks": [
            {
                "name": trunk.name,
                "context": trunk.context,
                "identify": f"{trunk.name}-identify",
                "networks": trunk.identify_networks,
                "auth": f"{trunk.name}-auth" if trunk.termination_host else "",
                "aor": f"{trunk.name}-aor" if trunk_contacts(trunk) else "",
                "contacts": trunk_contacts(trunk),
                "codecs": ",".join(trunk.codecs),
                "qualify_seconds": trunk.qualify_seconds,
            }
            for trunk in model.trunks
        ],
        "inbound": [
            {"context": context, "routes": inbound_routes(model, context)}
            for context in model.inbound_contexts
        ],
        "outbound": {
            "trunk": out.trunk,
            "host": (model.trunk(out.trunk) or model.trunks[0]).termination_host if model.trunks else "",
            "caller_id_number": out.caller_id_number,
            "caller_id_name": out.caller_id_name,
            "ring_seconds": out.ring_seconds,
            "max_call_seconds": out.max_call_seconds,
            "max_calls": out.max_calls,
            "max_calls_per_extension": out.max_calls_per_extension,
            "dial_prefix": out.dial_prefix,
            "patterns": [
                {
                    "exten": pattern,
                    "about": about,
                    "number": number,
                    "unchecked": f"${{EXTEN:{len(out.dial_prefix) + 1}}}" if pattern.endswith(".") else "",
                }
                for (pattern, number), about in zip(outbound_patterns(model), _ABOUT_OUTBOUND, strict=False)
            ],
            "policy": policy(model),
        },
        "emergency": {
            "enabled": out.emergency.enabled,
            "caller_id_number": out.emergency.caller_id_number,
            "dialled": [
                {"exten": exten, "number": number} for exten, number in emergency_numbers(model).items()
            ],
            "numbers": out.emergency.numbers,
            "test_numbers": out.emergency.test_numbers,
        },
    }
    escaped: dict[str, Any] = _escaped(view)
    return escaped


def _digest(number: str, password: str) -> str:
    """Return the part of a digest that stands for the password (RFC 2617, A1), in hex."""
    return hashlib.md5(f"{number}:{SIP_REALM}:{password}".encode(), usedforsecurity=False).hexdigest()


def auth_view(
    model: Model, secrets: Mapping[str, str], previous: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """Return the authentication objects: a ``digest`` for phones, the ``password`` for carriers.

    ``previous``: the former passwords of the model's ``overlap``.
    """
    phones = [
        {
            "name": name,
            "username": extension.number,
            "digest": _digest(extension.number, accepted[extension.number]),
        }
        for extension in model.extensions
        for name, accepted in zip(auth_names(model, extension), (secrets, previous or {}), strict=False)
    ]
    carriers = [
        {"name": f"{trunk.name}-auth", "username": trunk.auth_username, "password": secrets[trunk.name]}
        for trunk in model.trunks
        if trunk.termination_host
    ]
    escaped: list[dict[str, str]] = _escaped([*phones, *carriers])
    return escaped


def required_objects(model: Model) -> list[dict[str, str]]:
    """Return every object that must exist in the running PBX, in the words of `pjsip show <type> <name>`."""
    found = [("transport", "transport-udp"), ("transport", "transport-tcp"), ("endpoint", "health-check")]
    for trunk in model.trunks:
        found += [("endpoint", trunk.name), ("identify", f"{trunk.name}-identify")]
        if trunk.termination_host:
            found.append(("auth", f"{trunk.name}-auth"))
        if trunk_contacts(trunk):
            found.append(("aor", f"{trunk.name}-aor"))
    for extension in model.extensions:
        found += [("endpoint", extension.number), ("aor", extension.number)]
        found += [("auth", name) for name in auth_names(model, extension)]
    contexts = (
        "internal",
        "from-internal",
        "extensions",
        "outbound",
        "outbound-call",
        "emergency",
        "refused",
    )
    found += [("context", name) for name in (*model.inbound_contexts, *contexts)]
    return [{"type": kind, "name": name} for kind, name in found]


def _few(items: Iterable[Any]) -> list[Any]:
    """Return the first items and the last: enough to prove a rule that is the same for all."""
    everything = list(items)
    return (
        everything
        if len(everything) <= _CHECKED_ITEMS
        else [*everything[: _CHECKED_ITEMS - 1], everything[-1]]
    )


def dial_checks(model: Model) -> list[dict[str, str]]:
    """Return {context, dialled, target} for every documented way to dial, as `resolve_dial` does."""
    out = model.outbound
    prefix, country = out.dial_prefix, out.country_code
    sample = f"+{country}{_SAMPLE_NATIONAL}"
    outside = carrier_uri(model, sample)
    checks: list[tuple[str, str, str]] = []

    dialled = [prefix + sample]
    if country == NORTH_AMERICA:
        dialled += [
            f"{prefix}{country}{_SAMPLE_NATIONAL}",
            f"{prefix}{_SAMPLE_NATIONAL}",
            f"{prefix}{country}{country}{_SAMPLE_NATIONAL}",
        ]
    checks += [("internal", number, outside) for number in dialled]
    checks += [("from-internal", number, outside) for number in (sample, f"00{sample[1:]}")]
    for context in ("internal", "from-internal"):
        checks += [(context, one.number, dial_target(one)) for one in _few(model.extensions)]
        for number, means in emergency_numbers(model).items():
            checks.append(
                (context, number, carrier_uri(model, means) if out.emergency.enabled else "refused")
            )
    for context in model.inbound_contexts:
        for route in _few(inbound_routes(model, context)):
            number = route["exten"]
            if number.startswith("_"):
                number = f"{number[1:-1]}{'9' * 10}"
            checks.append((context, number, route["dial"]))
    return [{"context": context, "dialled": number, "target": target} for context, number, target in checks]
