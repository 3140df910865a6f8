# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Judges of the smoke checks about telephony. Pure functions over the evidence."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import listings
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.nft import Closed, closed_chains
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Evidence,
    Outcome,
    Problem,
    Trunk,
    Wanted,
    outcome,
)

HEALTH_CHECK = "health-check"
_REACHABLE = "Avail"
_UNREACHABLE = "Unavail"
_SHOWN_ITEMS = 5
_NO_CODEC = "Calls fail for want of a common codec"


def asterisk_version(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Asterisk is no older than the floor."""
    running = listings.version(evidence.answer("core show version")) or "unknown"
    if listings.version_key(running) >= listings.version_key(wanted.minimum_version):
        return outcome(f"Asterisk {running}, at least {wanted.minimum_version} wanted")
    seen = f"Asterisk {running} runs, at least {wanted.minimum_version} is wanted"
    return outcome(f"Asterisk {running}", [Problem(seen)])


def answers_over(transport: str) -> Callable[[Wanted, Evidence], Outcome]:
    """A judge: OPTIONS from the controller are answered over ``transport``, by whatever status."""

    def judge(wanted: Wanted, evidence: Evidence) -> Outcome:
        answer = evidence.probes[transport]
        if transport == "tcp" and not wanted.sip_tcp:
            answers = (
                [] if isinstance(answer, str) else [Problem("somebody answers, and pbx_sip_tcp is false")]
            )
            return outcome("switched off", answers)
        if isinstance(answer, str):
            closed = closed_chains(evidence.raw["host"]["nft"]["text"])
            return outcome("no answer", [_closed(wanted, answer, one) for one in closed] or [Problem(answer)])
        return outcome(f"{answer.status} {answer.reason} after {answer.seconds * 1000:.0f} ms")

    return judge


def _closed(wanted: Wanted, answer: str, chain: Closed) -> Problem:
    rtp = f"{wanted.rtp_first}-{wanted.rtp_last}"
    insert = f"nft insert rule {chain.family} {chain.table} {chain.chain}"
    return Problem(
        f"{answer}; {chain} drops what none of its rules accepts",
        f"Let calls through: `{insert} tcp dport {wanted.sip_port} accept` and `{insert} udp dport "
        f"{{ {wanted.sip_port}, {rtp} }} accept`; write both into /etc/nftables.conf, too.",
    )


def transports(wanted: Wanted, evidence: Evidence) -> Outcome:
    """UDP and TCP are listened on, at the declared ports."""
    found = listings.transports(evidence.answer("pjsip show transports"))
    listed = ", ".join(f"{one.name} {one.bind}" for one in found) or "none"
    declared = [("udp", wanted.sip_port), *([("tcp", wanted.sip_port)] if wanted.sip_tcp else [])]
    if wanted.local_sip_port:
        declared.append(("udp", wanted.local_sip_port))
    problems = [
        Problem(f"no transport for {protocol.upper()} on port {port}; running: {listed}")
        for protocol, port in declared
        if not any(one.protocol == protocol and one.bind.endswith(f":{port}") for one in found)
    ]
    return outcome(listed, problems)


def trunk_identifies(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Each trunk's networks, and no others, are taken for it."""
    trunks = {trunk.name: trunk for trunk in wanted.trunks}
    listed = {trunk.name: _matches(trunk.name, evidence) for trunk in wanted.trunks}
    problems = []
    for name, trunk in trunks.items():
        declared = {_network(network) for network in trunk.networks}
        if missing := declared - listed[name]:
            rest = f"only {_spell(listed[name])}" if listed[name] else "nothing at all"
            seen = f"trunk {name}: `pjsip show identifies` does not match {_spell(missing)} to it, {rest}"
            problems.append(Problem(seen))
        if extra := listed[name] - declared:
            problems.append(_believed(name, extra))
    for identify in evidence.identifies:
        if identify.endpoint not in trunks and identify.endpoint != HEALTH_CHECK:
            problems.append(_believed(identify.endpoint, {_network(match) for match in identify.matches}))
    summary = ", ".join(f"{name} {len(networks)}" for name, networks in listed.items())
    return outcome(f"networks: {summary}" if summary else "no trunks", problems)


def trunk_endpoints(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Each trunk's endpoint exists, in its context, with its codecs."""
    problems = []
    for trunk in wanted.trunks:
        found = evidence.trunk_parameters(trunk.name)
        if trunk.name not in evidence.endpoints or not found:
            listed = _few(evidence.endpoints)
            seen = f"trunk {trunk.name}: no such endpoint; `pjsip show endpoints` lists {listed}"
            problems.append(Problem(seen, about=trunk.name))
            continue
        context = found.get("context", "")
        if context != trunk.context:
            seen = f"trunk {trunk.name}: calls arrive in context {context}, declared is {trunk.context}"
            problems.append(Problem(seen, about=trunk.name))
        allowed = found.get("allow", "").strip("()").split("|")
        if missing := [codec for codec in trunk.codecs if codec not in allowed]:
            seen = f"trunk {trunk.name}: {', '.join(missing)} not among its codecs ({', '.join(allowed)})"
            problems.append(Problem(seen, symptom=_NO_CODEC, about=trunk.name))
    summary = ", ".join(f"{trunk.name} -> {trunk.context}" for trunk in wanted.trunks)
    return outcome(summary or "no trunks", problems)


def trunk_auths(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Each trunk that calls go out through has credentials."""
    out = {trunk.name: trunk.auth for trunk in wanted.trunks if trunk.auth}
    problems = []
    for name, auth in out.items():
        used = evidence.trunk_parameters(name).get("outbound_auth", "")
        if auth not in evidence.auths:
            listed = _few(sorted(evidence.auths))
            seen = f"trunk {name}: no auth {auth}; `pjsip list auths` lists {listed}"
            problems.append(Problem(seen, about=auth))
        elif name in evidence.endpoints and auth not in used.split(","):
            has = f"outbound_auth {used}" if used else "no outbound_auth"
            problems.append(Problem(f"trunk {name}: the endpoint has {has}, wanted is {auth}", about=auth))
    return outcome(", ".join(out.values()) or "no trunk with credentials", problems)


def carrier_names(wanted: Wanted, evidence: Evidence) -> Outcome:
    """The name of each trunk that calls go out through leads somewhere."""
    names = {trunk.termination_host: trunk.name for trunk in wanted.trunks if trunk.is_named}
    problems = [
        Problem(
            f"trunk {names.get(name, '?')}: {name} cannot be resolved: {error}", about=names.get(name, "")
        )
        for name, error in evidence.raw["names"].items()
        if error
    ]
    return outcome(", ".join(map(str, names)) or "no trunk has a name", problems)


def trunk_aors(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Each trunk's AOR has its contacts, and at least one answers."""
    problems = []
    summaries = []
    for trunk in wanted.trunks:
        if trunk.aor is None:
            continue
        if trunk.aor not in evidence.aors:
            listed = _few(sorted(evidence.aors))
            problems.append(
                Problem(f"trunk {trunk.name}: no AOR {trunk.aor}; `pjsip list aors` lists {listed}")
            )
            continue
        if trunk.name not in evidence.endpoints:
            continue
        contacts = evidence.endpoints[trunk.name].contacts
        problems += _missing_contacts(trunk, [contact.uri for contact in contacts])
        dead = [contact.uri for contact in contacts if contact.status == _UNREACHABLE]
        if dead and len(dead) == len(contacts):
            seen = f"trunk {trunk.name}: none of its contacts answers: {', '.join(dead)}"
            problems.append(Problem(seen, is_warning=not wanted.trunks_must_answer))
        elif dead:
            seen = f"trunk {trunk.name}: no answer from {', '.join(dead)}, but from others"
            problems.append(Problem(seen, symptom="Part of the carrier is out of reach", is_warning=True))
        alive = sum(contact.status == _REACHABLE for contact in contacts)
        unknown = len(contacts) - alive - len(dead)
        asked = f", {unknown} not asked" if unknown else ""
        summaries.append(f"{trunk.aor}: {alive} of {len(contacts)} contacts reachable{asked}")
    return outcome("; ".join(summaries) or "no trunk with contacts", problems)


def extensions(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Each phone has its endpoint, auth and AOR; whether it is registered is information."""
    problems = []
    registered = []
    for number in wanted.extensions:
        found = evidence.endpoints.get(number)
        auth = f"{number}-iauth"
        if found is None:
            problems.append(Problem(f"extension {number}: `pjsip show endpoints` does not list it"))
            continue
        if auth not in evidence.auths or auth not in found.in_auths:
            problems.append(Problem(f"extension {number}: it has no auth {auth}, so no password is right"))
        if number not in evidence.aors or number not in found.aors:
            problems.append(Problem(f"extension {number}: it has no AOR, so no registration is kept"))
        if found.contacts:
            answers = any(contact.status != _UNREACHABLE for contact in found.contacts)
            registered.append(number if answers else f"{number} (no answer)")
    count = len(wanted.extensions)
    who = f": {_few(registered)}" if registered else ""
    return outcome(f"{count} in all, {len(registered)} registered{who}", problems)


def dialling(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Each documented way to dial leads where it should."""
    found = {(one["context"], one["dialled"]): one for one in evidence.raw["dialling"]}
    problems = []
    for check in wanted.dial_checks:
        answer = found.get((check.context, check.dialled))
        if answer is None:
            problems.append(Problem(f"{check.dialled} in {check.context}: Asterisk gave no answer"))
        elif answer["target"] != check.target:
            leads = answer["target"] or "nowhere"
            way = " -> ".join(answer["path"])
            seen = f"{check.dialled} in {check.context} leads to {leads}, must lead to {check.target}"
            problems.append(Problem(f"{seen}; way: {way}"))
    count = len(wanted.dial_checks)
    contexts = dict.fromkeys(check.context for check in wanted.dial_checks)
    return outcome(
        f"{count - len(problems)} of {count} numbers lead right, in {', '.join(contexts)}", problems
    )


def rtp_range(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Asterisk takes media on the published ports, whole pairs of them."""
    found = listings.rtp_ports(evidence.answer("rtp show settings"))
    if found is None:
        return outcome("unknown", [Problem("`rtp show settings` does not say the ports")])
    first, last = found
    streams = max(0, (last + 1 - first) // 2)
    summary = f"{first}-{last}: {streams} streams, {streams // 2} calls of two legs"
    if found == wanted.rtp_pairs:
        return outcome(summary)
    published = f"{wanted.rtp_first}-{wanted.rtp_last}"
    pairs = "-".join(str(port) for port in wanted.rtp_pairs)
    seen = f"`rtp show settings` says {first}-{last}; the published {published} hold the pairs {pairs}"
    return outcome(summary, [Problem(seen)])


def channels(wanted: Wanted, evidence: Evidence) -> Outcome:
    """New calls are taken, no more than the media ports carry."""
    found = listings.load(evidence.answer("core show channels count"))
    if found is None:
        return outcome("unknown", [Problem("`core show channels count` does not say")])
    problems = []
    if refusing := listings.in_maintenance(evidence.answer("pjsip show maintenance")):
        remedy = (
            "If no deployment is waiting for calls to end just now, run "
            "`docker compose exec asterisk asterisk -rx 'pjsip set maintenance off all'`."
        )
        problems.append(
            Problem(f"{refusing} endpoints are in maintenance: new calls are refused with 503", remedy)
        )
    ports = listings.rtp_ports(evidence.answer("rtp show settings"))
    capacity = (ports[1] + 1 - ports[0]) // 4 if ports else 0
    # Without a limit of Asterisk's own, the dialplan counts, which spares emergency calls.
    if found.most_calls is not None and found.most_calls > capacity:
        seen = (
            f"{found.most_calls} calls are taken, the media ports carry {capacity}: those beyond are silent"
        )
        symptom = "Calls without audio when many are up"
        remedy = "Lower pbx_max_calls or widen pbx_rtp_ports, and run site.yml."
        problems.append(Problem(seen, remedy, symptom, is_warning=True))
    most = f" of at most {found.most_calls}" if found.most_calls is not None else ""
    return outcome(f"{found.calls} calls{most}, {found.channels} channels", problems)


def _matches(endpoint: str, evidence: Evidence) -> set[str]:
    return {
        _network(match)
        for identify in evidence.identifies
        if identify.endpoint == endpoint
        for match in identify.matches
    }


def _network(text: str) -> str:
    """One spelling for a network: an address without length is a network of one."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text


def _believed(endpoint: str, networks: Iterable[str]) -> Problem:
    return Problem(
        f"{_spell(networks)} is taken for {endpoint} without being declared",
        symptom="Somebody may call as the carrier without being it",
        is_warning=True,
    )


def _missing_contacts(trunk: Trunk, listed: list[str]) -> list[Problem]:
    """Declared contacts that the AOR lacks; a listing cuts long URIs short."""
    missing = [uri for uri in trunk.contacts if not any(uri.startswith(shown) for shown in listed)]
    if not missing:
        return []
    seen = f"trunk {trunk.name}: {trunk.aor} has no contact {', '.join(missing)}"
    return [Problem(seen, symptom="Part of the carrier is not asked whether it is there", is_warning=True)]


def _spell(networks: Iterable[str]) -> str:
    return ", ".join(sorted(networks))


def _few(items: Iterable[str]) -> str:
    """The first items, and how many more there are."""
    everything = list(items)
    shown = ", ".join(everything[:_SHOWN_ITEMS]) or "none"
    more = len(everything) - _SHOWN_ITEMS
    return f"{shown} and {more} more" if more > 0 else shown
