"""What a PBX of this model must have and do: the objects that exist, and where each number leads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.dialling import (
    emergency_numbers,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.names import (
    auth_names,
    trunk_contacts,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import (
    NORTH_AMERICA,
    Model,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.views import (
    carrier_uri,
    dial_target,
    inbound_routes,
)

_CHECKED_ITEMS = 3
_SAMPLE_NATIONAL = "5551234567"


def required_objects(model: Model) -> list[dict[str, str]]:
    """Return every object that must exist in the running PBX, in the words of `pjsip show <type> <name>`."""
    found = [("transport", "transport-udp"), ("endpoint", "health-check")]
    if model.sip_tcp:
        found.append(("transport", "transport-tcp"))
    if model.local.networks:
        found.append(("transport", "transport-local"))
    for trunk in model.trunks:
        found.append(("endpoint", trunk.name))
        if trunk.identify_networks:
            found.append(("identify", f"{trunk.name}-identify"))
        if trunk.has_credentials:
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
        "as-written",
        "outbound",
        "outbound-call",
        "outbound-trunks",
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
    first, help_first = ((*ways, None)[0] for ways in (model.outbound_trunks, model.emergency_trunks))
    outside = carrier_uri(first, sample) if first else "refused"
    checks: list[tuple[str, str, str]] = []

    dialled = [prefix + sample]
    if country == NORTH_AMERICA:
        dialled += [
            f"{prefix}{country}{_SAMPLE_NATIONAL}",
            f"{prefix}{_SAMPLE_NATIONAL}",
            f"{prefix}{country}{country}{_SAMPLE_NATIONAL}",
        ]
    dialled += [sample, f"{prefix}{out.international_prefix}{sample[1:]}"]
    dialled += [f"{prefix}+{country}.{_SAMPLE_NATIONAL[:3]}-{_SAMPLE_NATIONAL[3:]}"]
    checks += [("internal", number, outside) for number in dialled]
    direct = dict.fromkeys((sample, f"00{sample[1:]}", f"{out.international_prefix}{sample[1:]}"))
    checks += [("from-internal", number, outside) for number in direct]
    for context in ("internal", "from-internal"):
        checks += [(context, one.number, dial_target(one)) for one in _few(model.extensions)]
        for number, means in emergency_numbers(model).items():
            checks.append(
                (
                    context,
                    number,
                    carrier_uri(help_first, means) if out.emergency.enabled and help_first else "refused",
                )
            )
    for context in model.inbound_contexts:
        for route in _few(inbound_routes(model, context)):
            number = route["exten"]
            if number.startswith("_"):
                number = f"{number[1:-1]}{'9' * 10}"
            checks += [(context, dialled, route["dial"]) for dialled in (number, *route["spellings"])]
    return [{"context": context, "dialled": number, "target": target} for context, number, target in checks]
