"""Checks of the model's parts against each other: each rule yields what it finds, `check_model` runs all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.dialplan import best_match
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.dialling import (
    direct_patterns,
    emergency_numbers,
    outbound_patterns,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.names import sections
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.reserved import (
    RESERVED_CONTEXTS,
    RESERVED_OBJECTS,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault, Model, Report, Trunk
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.addresses import (
    blacklist_faults,
    block_url_warnings,
    container_network_faults,
    reserved_faults,
    trunk_overlap_faults,
    wide_network_faults,
    width_faults,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.local import local_faults
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.passwords import (
    next_faults,
    previous_faults,
    secret_faults,
    secret_warnings,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.port_rules import port_faults

Rule = Callable[[Model], Iterator[Fault]]


def _twice(variable: str, kind: str, names: list[str]) -> Iterator[Fault]:
    for name, times in Counter(names).items():
        if times > 1:
            yield Fault(variable, f"{kind} {name} is defined {times} times", "Keep one")


def duplicate_faults(model: Model) -> Iterator[Fault]:
    yield from _twice("pbx_extensions", "extension", [extension.number for extension in model.extensions])
    yield from _twice("pbx_trunks", "trunk", [trunk.name for trunk in model.trunks])
    yield from _twice("pbx_dids", "number", [did.number for did in model.dids])


def name_clash_faults(model: Model) -> Iterator[Fault]:
    """Trunks whose objects would get a name that another object of pjsip.conf has."""
    trunks = {trunk.name: trunk for trunk in model.trunks}
    for name, trunk in trunks.items():
        for other in trunks.values():
            if other is not trunk and name in (*sections(other)[1:], *_token_of(other)):
                yield Fault(
                    "pbx_trunks", f"{name} is also the name of an object of trunk {other.name}", "Rename it"
                )
        if name in RESERVED_OBJECTS:
            yield Fault("pbx_trunks", f"{name} is the name of an object that always exists", "Rename it")


def _token_of(trunk: Trunk) -> tuple[str, ...]:
    """Return the name of its inbound token: the password of another trunk would go by it, too."""
    return (trunk.token_name,) if trunk.inbound_token else ()


def extension_number_faults(model: Model) -> Iterator[Fault]:
    """Extensions that hide, or are hidden by, something else that can be dialled."""
    emergency = emergency_numbers(model)
    prefix = model.outbound.dial_prefix
    patterns = [way.exten for way in outbound_patterns(model)]
    direct = [way.exten for way in direct_patterns(model)]
    if not model.is_read("pbx_outbound.dial_prefix"):
        emergency = {number: means for number, means in emergency.items() if number == means}
        prefix, patterns = "", []
    if not model.is_read("pbx_outbound.country_code"):
        patterns = direct = []
    for extension in model.extensions:
        number = extension.number
        variable = "pbx_extensions"
        if number in emergency:
            yield Fault(variable, f"extension {number} is an emergency number", "Choose another number")
        elif number == prefix or any(dialled.startswith(number) for dialled in emergency):
            yield Fault(
                variable,
                f"extension {number} is the beginning of an outside or emergency number",
                "Choose another number: who dials slowly would reach the phone instead of help",
            )
        elif best_match(patterns, number):
            yield Fault(
                variable,
                f"extension {number} looks like an outside number after the dial prefix {prefix}",
                "Choose another number or dial prefix",
            )
        elif best_match(direct, number):
            yield Fault(
                variable,
                f"extension {number} looks like an outside number: an international prefix and country code",
                "Choose another number: phones of the context from-internal dial other countries like this",
            )


def reference_faults(model: Model) -> Iterator[Fault]:
    """DIDs and catch-alls that lead nowhere; silent about what may be a name that could not be read."""
    known = {extension.number for extension in model.extensions}
    remedy = "Add the extension or correct the number"
    if model.is_read("pbx_extensions[].number"):
        for did in model.dids:
            for place in did.destinations:
                for number in place.extensions:
                    if number not in known:
                        yield Fault(
                            "pbx_dids",
                            f"{did.number} in {place.context} rings {number}, which does not exist",
                            remedy,
                        )
        for trunk in model.trunks:
            for number in trunk.catch_all.extensions if trunk.catch_all else ():
                if number not in known:
                    yield Fault(
                        "pbx_trunks",
                        f"catch_all of {trunk.name} rings {number}, which does not exist",
                        remedy,
                    )
    if model.is_read("pbx_trunks[].name", "pbx_outbound.trunk"):
        for name in model.outbound.trunks:
            if model.trunk(name) is None:
                yield Fault("pbx_outbound.trunk", f"'{name}' is no trunk of pbx_trunks", "Name one that is")
    contexts = model.inbound_contexts
    for did in model.dids:
        for place in did.destinations:
            if model.is_read("pbx_trunks[].context") and place.context not in contexts:
                yield Fault(
                    "pbx_dids",
                    f"{did.number} has a destination in '{place.context}', where no call arrives",
                    f"Use one of: {', '.join(contexts)}",
                )


def context_faults(model: Model) -> Iterator[Fault]:
    for trunk in model.trunks:
        if trunk.context in RESERVED_CONTEXTS:
            yield Fault(
                "pbx_trunks",
                f"trunk {trunk.name} lands in '{trunk.context}', a context of the PBX itself",
                "A carrier's callers are not authenticated: give them a context of their own, as from-twilio",
            )
        if trunk.context.startswith("site-"):
            yield Fault(
                "pbx_trunks",
                f"trunk {trunk.name} lands in '{trunk.context}', a context of the site's own dialplan",
                "Phones reach those; give the carrier's callers another, as from-twilio",
            )
    catch_alls: dict[tuple[str, str], str] = {}
    for trunk in model.trunks:
        for prefix in trunk.catch_all.prefixes if trunk.catch_all else ():
            other = catch_alls.setdefault((trunk.context, prefix), trunk.name)
            if other != trunk.name:
                yield Fault(
                    "pbx_trunks",
                    f"{other} and {trunk.name} both have a catch_all for {prefix} in {trunk.context}",
                    "Keep one, or land the trunks in different contexts",
                )


def outbound_faults(model: Model) -> Iterator[Fault]:
    out = model.outbound
    for name in out.trunks:
        trunk = model.trunk(name)
        if trunk is not None and not trunk.termination_host:
            yield Fault(
                "pbx_outbound.trunk",
                f"trunk {name} has no termination_host",
                "Add it, or name a trunk that has one",
            )
    if out.emergency.enabled and model.outbound_trunks and not model.emergency_trunks:
        yield Fault(
            "pbx_trunks",
            "no trunk with a termination_host may carry emergency calls",
            "Remove emergency: false from one, or write pbx_outbound.emergency.enabled: false",
        )
    for prefix in {*out.allowed_prefixes, *out.abroad_prefixes} & set(out.denied_prefixes):
        yield Fault("pbx_outbound", f"prefix {prefix} is both allowed and denied", "Remove it from one list")
    most = min(model.max_calls, model.rtp_ports.calls(out.emergency.reserved_calls))
    if (
        model.is_read("pbx_outbound.max_calls", "pbx_max_calls", "pbx_rtp_ports")
        and 0 < most < out.max_calls
        and (out.max_calls > model.max_calls or most == model.max_calls)
    ):
        yield Fault(
            "pbx_outbound.max_calls",
            f"{out.max_calls} is more than pbx_max_calls {model.max_calls}",
            f"Lower it to {most}",
        )
    if (
        model.is_read("pbx_outbound.max_calls_per_extension", "pbx_outbound.max_calls")
        and out.max_calls_per_extension > out.max_calls
    ):
        yield Fault(
            "pbx_outbound.max_calls_per_extension",
            f"{out.max_calls_per_extension} is more than pbx_outbound.max_calls {out.max_calls}",
            f"Lower it to {out.max_calls}",
        )
    for number in set(out.emergency.numbers) & set(out.emergency.test_numbers):
        yield Fault(
            "pbx_outbound.emergency", f"{number} is both an emergency and a test number", "Remove one"
        )


def transport_faults(model: Model) -> Iterator[Fault]:
    """Trunks over a transport that the PBX does not speak."""
    for trunk in model.trunks:
        if trunk.transport == "tcp" and not model.sip_tcp and model.is_read("pbx_sip_tcp"):
            yield Fault(
                "pbx_trunks",
                f"trunk {trunk.name} speaks TCP, and pbx_sip_tcp is false",
                "Write pbx_sip_tcp: true, or let the trunk speak UDP",
            )


def inbound_faults(model: Model) -> Iterator[Fault]:
    """Limits that leave carriers no place, or that nothing reaches."""
    if not model.is_read("pbx_max_calls", "pbx_outbound.reserved_calls"):
        return
    reserved, most = model.outbound.reserved_calls, model.max_calls
    if reserved >= most:
        yield Fault(
            "pbx_outbound.reserved_calls",
            f"{reserved} of pbx_max_calls {most} leaves none for calls that come in",
            f"Lower it to {most - 1}",
        )
        return
    for trunk in model.trunks:
        if trunk.max_calls is not None and trunk.max_calls > model.max_inbound_calls:
            yield Fault(
                "pbx_trunks",
                f"max_calls {trunk.max_calls} of {trunk.name} is more than may come in: pbx_max_calls is "
                f"{most}, and {reserved} of them are kept for phones",
                f"Lower it to {model.max_inbound_calls}",
            )


def caller_id_faults(model: Model) -> Iterator[Fault]:
    """Numbers shown to those who are called that carriers will not accept, or that nobody can call back."""
    out = model.outbound
    if not model.is_read("pbx_dids[].number", "pbx_outbound.verified_numbers"):
        return
    own = {did.number for did in model.dids} | set(out.verified_numbers)
    shown = [
        ("pbx_outbound.caller_id_number", out.caller_id_number),
    ]
    if out.emergency.caller_id_number != out.caller_id_number:
        shown.append(("pbx_outbound.emergency.caller_id_number", out.emergency.caller_id_number))
    for extension in model.extensions:
        name = f"pbx_extensions[{extension.number}]"
        shown.append((f"{name}.caller_id_number", extension.caller_id_number))
        shown.append((f"{name}.emergency_caller_id_number", extension.emergency_caller_id_number))
    for variable, number in shown:
        if number and number not in own:
            yield Fault(
                variable,
                f"{number} is no number of pbx_dids",
                "Write one that is; or, if your carrier has verified that it is yours, "
                "add it to pbx_outbound.verified_numbers",
            )


RULES: tuple[Rule, ...] = (
    duplicate_faults,
    name_clash_faults,
    extension_number_faults,
    reference_faults,
    context_faults,
    outbound_faults,
    caller_id_faults,
    port_faults,
    local_faults,
    trunk_overlap_faults,
    width_faults,
    wide_network_faults,
    transport_faults,
    inbound_faults,
    container_network_faults,
    reserved_faults,
    blacklist_faults,
)


def extension_warnings(model: Model) -> Iterator[Fault]:
    for extension in model.extensions:
        if model.is_read("pbx_outbound.dial_prefix") and extension.number.startswith(
            model.outbound.dial_prefix
        ):
            yield Fault(
                "pbx_extensions",
                f"extension {extension.number} begins with the dial prefix {model.outbound.dial_prefix}",
                "A misdialled outside number may ring it; another number is safer",
            )


WARNINGS: tuple[Rule, ...] = (block_url_warnings, extension_warnings)


def check_model(variables: object, elsewhere: Collection[str] = ()) -> Report:
    """Check the ``pbx_*`` variables, the passwords among them, and report everything. Never raises.

    :param elsewhere: names whose passwords other servers of the site use: they share the vault
    """
    model, faults = read_model(variables)
    given = variables if isinstance(variables, dict) else {}
    secrets, previous, following = (
        given.get(name) for name in ("pbx_secrets", "pbx_secrets_previous", "pbx_secrets_next")
    )
    faults += [fault for rule in RULES for fault in rule(model)]
    faults += secret_faults(model, secrets)
    faults += previous_faults(model, previous, secrets)
    faults += next_faults(model, following, secrets)
    warnings = [warning for rule in WARNINGS for warning in rule(model)]
    warnings += secret_warnings(model, secrets, previous, following, elsewhere)
    return Report(tuple(dict.fromkeys(faults)), tuple(dict.fromkeys(warnings)))
