"""Derived views of the model: what the templates write, the firewall protects and the smoke checks expect.

Every text in a view has gone through `asterisk_value`, so a template cannot forget to escape one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.dialling import (
    caller_spellings,
    direct_patterns,
    emergency_numbers,
    outbound_patterns,
    own_spellings,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.escape import asterisk_value
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.names import (
    _by,
    auth_names,
    trunk_contacts,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import (
    CatchAll,
    Destination,
    Extension,
    Model,
    Trunk,
)

SIP_REALM = "asterisk"
"""The realm of every challenge. It is part of each stored digest."""

Phones = Mapping[str, Extension]

_NO_FORWARDING = "i"
"""Dial() option: a phone or carrier that answers with a redirection does not make the PBX dial elsewhere."""


# --- Names ----------------------------------------------------------------------------------------


# --- Dialling -------------------------------------------------------------------------------------


def dial_target(extension: Extension) -> str:
    """Return an extension as Dial() has it; the context `registered` makes its phones of it."""
    return f"PJSIP/{extension.number}"


def carrier_uri(trunk: Trunk, number: str) -> str:
    """Return the Dial() argument that reaches ``number`` through ``trunk``."""
    return f"PJSIP/{trunk.name}/sip:{number}@{trunk.termination_host}{_by(trunk)}"


def _ways_out(trunks: Iterable[Trunk]) -> list[dict[str, str]]:
    return [{"name": trunk.name, "dial": carrier_uri(trunk, "${EXTEN}")} for trunk in trunks]


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
        "spellings": [],
    }


def inbound_routes(model: Model, context: str) -> list[dict[str, Any]]:
    """Return the routes of one inbound context: each DID with its spellings, then the catch-alls."""
    phones = {extension.number: extension for extension in model.extensions}
    routes = []
    taken: set[str] = set()
    for did in model.dids:
        for place in did.destinations:
            if place.context != context:
                continue
            route = _route(phones, did.number, "DID", place)
            spellings = [one for one in own_spellings(model, did.number) if one not in taken]
            taken.update(spellings)
            routes.append({**route, "spellings": spellings})
    for trunk in model.trunks:
        if trunk.context == context and trunk.catch_all:
            for prefix in trunk.catch_all.prefixes:
                routes.append(_route(phones, f"_{prefix}.", f"any other {prefix} number", trunk.catch_all))
    return routes


def max_calls_into(model: Model, context: str) -> int:
    """Return how many calls may be in one inbound context at once."""
    own = [trunk.max_calls for trunk in model.trunks if trunk.context == context]
    if not own or None in own:
        return model.max_inbound_calls
    return min(model.max_inbound_calls, sum(filter(None, own)))


def policy(model: Model, abroad: bool = False) -> list[dict[str, str]]:
    """Return the destination policy as patterns; Asterisk takes the longest matching one.

    :param abroad: that of phones which may call abroad
    """
    out = model.outbound
    allowed = [*out.allowed_prefixes, *(out.abroad_prefixes if abroad else ())]
    verdicts = dict.fromkeys(allowed, "allowed") | dict.fromkeys(out.denied_prefixes, "denied")
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
        "sip_tcp": model.sip_tcp,
        "local": (
            {"address": model.local.address, "sip_port": model.local.sip_port}
            if model.local.networks
            else None
        ),
        "rtp_first": model.rtp_ports.first,
        "rtp_last": model.rtp_ports.last_odd,
        "rtp_streams": model.rtp_ports.streams,
        "ordinary_legs": model.rtp_ports.streams - 2 * out.emergency.reserved_calls,
        "max_calls": model.max_calls,
        "max_inbound_calls": model.max_inbound_calls,
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
                "qualify_seconds": extension.qualify_seconds,
                "auth": ",".join(auth_names(model, extension)),
                "dial": dial_target(extension),
                "caller_id_number": extension.caller_id_number,
                "emergency_caller_id_number": extension.emergency_caller_id_number,
                "networks": extension.networks,
                "may_call_abroad": extension.may_call_abroad,
                # Each of its contacts rings by a channel of its own.
                "max_ringing": extension.max_ringing * extension.max_contacts,
            }
            for extension in model.extensions
        ],
        "trunks": [
            {
                "name": trunk.name,
                "context": trunk.context,
                "identify": f"{trunk.name}-identify" if trunk.identify_networks else "",
                "transport": trunk.transport,
                "networks": trunk.identify_networks,
                "auth": f"{trunk.name}-auth" if trunk.has_credentials else "",
                "aor": f"{trunk.name}-aor" if trunk_contacts(trunk) else "",
                "contacts": trunk_contacts(trunk),
                "codecs": ",".join(trunk.codecs),
                "qualify_seconds": trunk.qualify_seconds,
            }
            for trunk in model.trunks
        ],
        "inbound": [
            {
                "context": context,
                "routes": inbound_routes(model, context),
                "max_calls": max_calls_into(model, context),
            }
            for context in model.inbound_contexts
        ],
        "caller_spellings": [way._asdict() for way in caller_spellings(model)],
        "outbound": {
            "trunks": _ways_out(model.outbound_trunks),
            "caller_id_number": out.caller_id_number,
            "caller_id_name": out.caller_id_name,
            "ring_seconds": out.ring_seconds,
            "max_call_seconds": out.max_call_seconds,
            "max_calls": out.max_calls,
            "max_calls_per_extension": out.max_calls_per_extension,
            "patterns": [way._asdict() for way in outbound_patterns(model)],
            "direct_patterns": [way._asdict() for way in direct_patterns(model)],
            "policy": policy(model),
            "policy_abroad": policy(model, abroad=True),
            "country_code": out.country_code,
            "max_seconds_per_day": 60 * out.max_minutes_per_day,
        },
        "emergency": {
            "enabled": out.emergency.enabled,
            "trunks": _ways_out(model.emergency_trunks),
            "reserved_calls": out.emergency.reserved_calls,
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
        {
            "name": f"{trunk.name}-auth",
            "username": trunk.auth_username,
            "password": secrets[trunk.name],
            "realm": trunk.auth_realm,
        }
        for trunk in model.trunks
        if trunk.has_credentials
    ]
    escaped: list[dict[str, str]] = _escaped([*phones, *carriers])
    return escaped


def inbound_proofs(
    model: Model, secrets: Mapping[str, str], previous: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """Return the SHA-1 digests that carriers' calls are proven by: of the token in use and of the former one.

    What is digested is the whole parameter of the URI, ``token=`` included.
    """
    former = previous or {}
    return [
        {
            "trunk": trunk.name,
            "digest": _token_digest(secrets[trunk.token_name]),
            "former": _token_digest(former[trunk.token_name]) if former.get(trunk.token_name) else "",
        }
        for trunk in model.trunks
        if trunk.inbound_token
    ]


def _token_digest(token: str) -> str:
    return hashlib.sha1(f"token={token}".encode(), usedforsecurity=False).hexdigest()
