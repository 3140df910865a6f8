"""Every smoke check on the evidence of a deployed PBX: sound, and broken in the one way it is there to name.

`deployed.json` is what the probe found on the lab's server while only one of two carrier sites ran;
`broken.json` holds, by fault, the answers of an Asterisk 22.10.1 whose configuration had that fault.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import blacklist_rules
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.options import SipAnswer
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.checks import CHECKS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.server import (
    set_sizes,
    spell_bytes,
    spell_ports,
    spell_seconds,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Evidence,
    Result,
    Status,
    Wanted,
    read_wanted,
    run_checks,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "smoke"
DEPLOYED = json.loads((FIXTURES / "deployed.json").read_text())
BROKEN = json.loads((FIXTURES / "broken.json").read_text())
TERMINATION = "nlpbay.pstn.ashburn.twilio.com"
INVENTORY = {"pbx_extensions": "1f0c", "pbx_blacklist": "a7e2"}
for evidence in (DEPLOYED, BROKEN):
    evidence["names"] = {TERMINATION: None}
    evidence["deployed_files"] = {"release": "20260101T1-ab", "edited": [], "inventory": INVENTORY}
DEPLOYED["host"]["nft"] = {"text": "", "error": "nft is not installed"}
WANTED = read_wanted(
    {
        "root_dir": "/opt/callcenter",
        "address": "198.18.0.10",
        "sip_port": 5060,
        "sip_tcp": True,
        "local_sip_port": 0,
        "rtp_ports": {"first": 10000, "last": 10100},
        "extensions": [{"number": "100"}, {"number": "101"}, {"number": "102"}],
        "trunks": yaml.safe_load(
            """
            - name: twilio-na-us
              context: from-twilio
              identify_networks: [198.18.60.0/30, 198.18.51.0/30]
              contacts: ["sip:198.18.60.1:5060", "sip:198.18.51.1:5060"]
              termination_host: nlpbay.pstn.ashburn.twilio.com
              auth_username: Admin
              codecs: [ulaw, alaw]
            - {name: second-carrier, context: from-pstn, identify_networks: [198.18.70.1], codecs: [ulaw]}
            """
        ),
        "dial_checks": json.loads((FIXTURES / "dial_checks.json").read_text()),
        "minimum_version": "22.10.1",
        "trunks_must_answer": True,
        "inventory": INVENTORY,
    }
)
ANSWER = SipAnswer(401, "Unauthorized", "Asterisk", 0.004)
PROBES: dict[str, SipAnswer | str] = {"udp": ANSWER, "tcp": ANSWER}
Raw = dict[str, Any]
Edit = Callable[[Raw], None]

NO_ENDPOINT = '"No matching endpoint found": incoming calls fail'
NO_AUTH = '"There were no auth ids available": outgoing calls fail'
BANNED = "A banned source still gets through"
STRANGERS = "Strangers listen to calls, or a phone is not heard"


def sound() -> Raw:
    """The deployed evidence with every contact reachable."""
    raw: Raw = copy.deepcopy(DEPLOYED)
    answers = raw["console"]["answers"]
    answers["pjsip show endpoints"] = answers["pjsip show endpoints"].replace("Unavail ", "Avail   ")
    raw["container"]["ports"] = {port: list(bound) for port, bound in raw["container"]["ports"].items()}
    raw["container"]["image_created"] = days_ago(7)
    return raw


def days_ago(days: int) -> str:
    """A moment as the engine writes it."""
    return f"{(datetime.now(UTC) - timedelta(days=days, hours=1)).strftime('%Y-%m-%dT%H:%M:%S')}.430637514Z"


def check(
    raw: Raw, wanted: Wanted = WANTED, probes: dict[str, SipAnswer | str] = PROBES
) -> dict[str, Result]:
    """All results by name."""
    return {result.name: result for result in run_checks(CHECKS, wanted, Evidence(raw, probes))}


def wrong(results: dict[str, Result]) -> list[tuple[str, str, str]]:
    """What is wrong: check, symptom, what was seen; a warning's check has a question mark."""
    return [
        (result.name + "?" * problem.is_warning, problem.symptom, problem.seen)
        for result in results.values()
        for problem in result.problems
    ]


def test_a_sound_pbx_passes() -> None:
    results = check(sound())
    assert wrong(results) == []
    assert {
        name: result.summary
        for name, result in results.items()
        if name not in ("compose-state", "log-written")
    } == {
        "version": "Asterisk 22.10.1, at least 22.10.1 wanted",
        "as-released": "20260101T1-ab",
        "as-declared": "2 variables, as deployed",
        "options-udp": "401 Unauthorized after 4 ms",
        "options-tcp": "401 Unauthorized after 4 ms",
        "transports": "transport-tcp 0.0.0.0:5060, transport-udp 0.0.0.0:5060",
        "trunk-identifies": "networks: twilio-na-us 2, second-carrier 1",
        "trunk-endpoints": "twilio-na-us -> from-twilio, second-carrier -> from-pstn",
        "trunk-auths": "twilio-na-us-auth",
        "carrier-names": "nlpbay.pstn.ashburn.twilio.com",
        "trunk-aors": "twilio-na-us-aor: 3 of 3 contacts reachable",
        "extensions": "3 in all, 2 registered: 100, 101",
        "dialling": "25 of 25 numbers lead right, in internal, from-internal, from-twilio, from-pstn",
        "published-ports": "5060/tcp, 5060/udp, 10000-10100/udp",
        "rtp-range": "10000-10099: 50 streams, 25 calls of two legs",
        "channels": "0 calls of at most 25, 0 channels",
        "log-activity": "since 2026-11-23 00:45:53: 213 call lines, 21x No matching endpoint found "
        "(198.18.0.1 10x, 198.18.100.101 8x, 198.18.99.9 3x)",
        "blacklist-docker-user": "SIP-BLACKLIST is first in DOCKER-USER, IPv4 and IPv6",
        "blacklist-input": "SIP-BLACKLIST is first in INPUT, IPv4 and IPv6",
        "blacklist-sets": "drops what is listed (0 networks) or banned (2)",
        "blacklist-drops": "6 of 6 packets, to the host, IPv6, published ports",
        "strangers": "few packets, no audio",
        "automatic-bans": "sip-guessing, sip-enumeration, sip-calls watch",
        "updates": "image of 7 days; nothing newer known",
    }


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(
            "identify-missing",
            [
                (
                    "trunk-identifies",
                    NO_ENDPOINT,
                    "trunk second-carrier: `pjsip show identifies` does not match 198.18.70.1/32 to it, "
                    "nothing at all",
                )
            ],
            id="identify missing",
        ),
        pytest.param(
            "identify-network",
            [
                (
                    "trunk-identifies",
                    NO_ENDPOINT,
                    "trunk twilio-na-us: `pjsip show identifies` does not match 198.18.51.0/30 to it, "
                    "only 198.18.60.0/30, 203.0.113.0/24",
                ),
                (
                    "trunk-identifies?",
                    "Somebody may call as the carrier without being it",
                    "203.0.113.0/24 is taken for twilio-na-us without being declared",
                ),
            ],
            id="other network",
        ),
        pytest.param(
            "endpoint-missing",
            [
                (
                    "trunk-endpoints",
                    f"{NO_ENDPOINT}, or arrive in the wrong context",
                    "trunk twilio-na-us: no such endpoint; `pjsip show endpoints` lists 100, 101, 102, "
                    "health-check, second-carrier",
                )
            ],
            id="endpoint missing",
        ),
        pytest.param(
            "context-wrong",
            [
                (
                    "trunk-endpoints",
                    f"{NO_ENDPOINT}, or arrive in the wrong context",
                    "trunk twilio-na-us: calls arrive in context from-pstn, declared is from-twilio",
                )
            ],
            id="wrong context",
        ),
        pytest.param(
            "auth-missing",
            [
                (
                    "trunk-auths",
                    NO_AUTH,
                    "trunk twilio-na-us: no auth twilio-na-us-auth; `pjsip list auths` lists 100-iauth, "
                    "101-iauth, 102-iauth",
                )
            ],
            id="auth missing",
        ),
        pytest.param(
            "outbound-auth-missing",
            [
                (
                    "trunk-auths",
                    NO_AUTH,
                    "trunk twilio-na-us: the endpoint has no outbound_auth, wanted is twilio-na-us-auth",
                )
            ],
            id="auth not used",
        ),
        pytest.param(
            "aor-missing",
            [
                (
                    "trunk-aors",
                    "Outgoing calls fail: nothing at the carrier answers",
                    "trunk twilio-na-us: no AOR twilio-na-us-aor; `pjsip list aors` lists 100, 101, 102",
                )
            ],
            id="AOR missing",
        ),
        pytest.param(
            "extension-missing",
            [
                (
                    "extensions",
                    "Extensions not registering",
                    "extension 101: `pjsip show endpoints` does not list it",
                )
            ],
            id="extension missing",
        ),
        pytest.param(
            "ext-auth-missing",
            [
                (
                    "extensions",
                    "Extensions not registering",
                    "extension 101: it has no auth 101-iauth, so no password is right",
                )
            ],
            id="extension without auth",
        ),
        pytest.param(
            "tcp-missing",
            [
                (
                    "transports",
                    "Phones or carriers cannot reach Asterisk over one of UDP and TCP",
                    "no transport for TCP on port 5060; running: transport-udp 0.0.0.0:5060",
                )
            ],
            id="TCP transport missing",
        ),
        pytest.param(
            "rtp-mismatch",
            [
                (
                    "rtp-range",
                    "One-way or no audio on some calls",
                    "`rtp show settings` says 10000-10050; the published 10000-10100 hold the pairs "
                    "10000-10099",
                ),
                (
                    "channels?",
                    "Calls without audio when many are up",
                    "25 calls are taken, the media ports carry 12: those beyond are silent",
                ),
            ],
            id="rtp.conf mismatch",
        ),
        pytest.param(
            "pattern-missing",
            [
                (
                    "dialling",
                    "A documented number cannot be dialled, or leads to somebody else",
                    "9115551234567 in internal leads to nowhere, must lead to "
                    "PJSIP/twilio-na-us/sip:+15551234567@nlpbay.pstn.ashburn.twilio.com; "
                    "way: 9115551234567@internal (no match)",
                )
            ],
            id="pattern missing",
        ),
        pytest.param(
            "log-off",
            [
                (
                    "log-written",
                    "The log shows nothing, whatever happens",
                    "`logger show channels` does not list "
                    "/var/log/asterisk/messages, /var/log/asterisk/notices as enabled",
                )
            ],
            id="log off",
        ),
        pytest.param(
            "maintenance",
            [
                (
                    "channels",
                    "New calls are refused",
                    "6 endpoints are in maintenance: new calls are refused with 503",
                )
            ],
            id="left in maintenance",
        ),
    ],
)
def test_a_fault_in_asterisk_is_named(fault: str, expected: list[tuple[str, str, str]]) -> None:
    raw = sound()
    broken = BROKEN[fault]
    raw["console"]["answers"] |= broken["answers"]
    ways = {(one["context"], one["dialled"]): one for one in broken["dialling"]}
    raw["dialling"] = [ways.get((one["context"], one["dialled"]), one) for one in raw["dialling"]]
    raw["closed_logs"] = broken.get("closed_logs", [])
    assert wrong(check(raw)) == expected


def test_every_number_that_leads_nowhere_is_named() -> None:
    raw = sound()
    ways = {(one["context"], one["dialled"]): one for one in BROKEN["dialplan-empty"]["dialling"]}
    raw["dialling"] = [ways.get((one["context"], one["dialled"]), one) for one in raw["dialling"]]
    result = check(raw)["dialling"]
    assert result.summary.startswith("17 of 25 numbers lead right")
    assert len(result.problems) == 8


def contacts(status: str) -> Edit:
    """Give the carrier's contacts, and no phone's, a status."""

    def edit(raw: Raw) -> None:
        answers = raw["console"]["answers"]
        lines = answers["pjsip show endpoints"].splitlines()
        answers["pjsip show endpoints"] = "\n".join(
            line.replace("Avail   ", f"{status:<8}") if "twilio-na-us-aor/" in line else line
            for line in lines
        )

    return edit


def no_container(raw: Raw) -> None:
    raw.update(container=None, console={"error": "its container does not run", "answers": {}}, dialling=[])


def stopped(raw: Raw) -> None:
    no_container(raw)
    raw["container"] = {
        **DEPLOYED["container"],
        "running": False,
        "status": "exited",
        "exit_code": 137,
        "ports": {},
    }


def in_table(program: str, old: str, new: str) -> Edit:
    def edit(raw: Raw) -> None:
        text = raw["host"][program]["text"]
        assert old in text
        raw["host"][program]["text"] = text.replace(old, new)

    return edit


def in_container(**values: object) -> Edit:
    return lambda raw: raw["container"].update(values)


def in_log(**values: object) -> Edit:
    return lambda raw: raw["log"].update(values)


NOT_FIRST = (
    "-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A DOCKER-USER -j SIP-BLACKLIST"
)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(
            contacts("Unavail"),
            [
                (
                    "trunk-aors",
                    "Outgoing calls fail: nothing at the carrier answers",
                    "trunk twilio-na-us: none of its contacts answers: sip:nlpbay.pstn.ashburn.t, "
                    "sip:198.18.60.1:5060, sip:198.18.51.1:5060",
                )
            ],
            id="carrier silent",
        ),
        pytest.param(contacts("NonQual"), [], id="carrier not asked yet"),
        pytest.param(
            in_container(health="unhealthy"),
            [
                (
                    "compose-state",
                    "Nothing answers: no call, no registration",
                    "the container runs, but its health check says unhealthy",
                )
            ],
            id="unhealthy",
        ),
        pytest.param(
            in_container(project=None, service=None),
            [
                (
                    "compose-state",
                    "Nothing answers: no call, no registration",
                    "the container is None/None, not the service asterisk of a compose project",
                )
            ],
            id="not compose's",
        ),
        pytest.param(
            lambda raw: raw["deployed_files"].update(edited=["pjsip_wizard.conf"]),
            [
                (
                    "as-released",
                    "Somebody changed the configuration on the server: the next deployment undoes it",
                    "pjsip_wizard.conf was edited on the server",
                )
            ],
            id="edited on the server",
        ),
        pytest.param(
            lambda raw: raw["deployed_files"].update(inventory={**INVENTORY, "pbx_extensions": "77aa"}),
            [
                (
                    "as-declared?",
                    "The inventory has changed since the last deployment: what it says is not in force yet",
                    "pbx_extensions is not what was deployed last",
                )
            ],
            id="inventory not deployed",
        ),
        pytest.param(lambda raw: raw["deployed_files"].update(inventory={}), [], id="nothing recorded"),
        pytest.param(
            lambda raw: raw["container"].update(strays=["veth1234567"]),
            [
                (
                    "published-ports",
                    "One-way or no audio, or nothing at all",
                    "veth1234567: left on the container's network by one that is gone. It has the "
                    "container's address, and refuses what is meant for it",
                )
            ],
            id="a second network with the container's address",
        ),
        pytest.param(
            lambda raw: raw["container"]["ports"].update({"5060/tcp": [], "10050/udp": ["0.0.0.0 20050"]}),
            [
                ("published-ports", "One-way or no audio, or nothing at all", "not published: 5060/tcp"),
                (
                    "published-ports",
                    "One-way or no audio, or nothing at all",
                    "published under another number: 10050/udp as 0.0.0.0 20050",
                ),
            ],
            id="ports",
        ),
        pytest.param(
            lambda raw: raw["container"]["ports"].update({"5038/tcp": ["0.0.0.0 5038"]}),
            [
                (
                    "published-ports?",
                    "One-way or no audio, or nothing at all",
                    "published without being declared: 5038/tcp",
                )
            ],
            id="a port too many",
        ),
        pytest.param(
            in_log(error="No such file or directory"),
            [
                (
                    "log-written",
                    "The log shows nothing, whatever happens",
                    "/opt/callcenter/logs/messages: No such file or directory",
                )
            ],
            id="no log",
        ),
        pytest.param(
            lambda raw: raw.update(closed_logs=["/var/log/asterisk/messages"]),
            [
                (
                    "log-written",
                    "The log shows nothing, whatever happens",
                    "Asterisk has not opened /var/log/asterisk/messages: it writes to a file that was moved "
                    "or deleted",
                )
            ],
            id="log moved away",
        ),
        pytest.param(
            in_log(free_bytes=0),
            [
                (
                    "log-written",
                    "The log shows nothing, whatever happens",
                    "0 bytes free at /opt/callcenter/logs/messages",
                )
            ],
            id="disk full",
        ),
        pytest.param(
            in_log(no_endpoint={"198.18.60.2": 3, "198.51.100.9": 8}, no_auth=2),
            [
                (
                    "log-activity?",
                    '"No matching endpoint found": incoming calls failed',
                    "trunk twilio-na-us was turned away, 198.18.60.2: 3 times",
                ),
                ("log-activity?", '"There were no auth ids available": outgoing calls failed', "2 times"),
            ],
            id="a carrier was turned away",
        ),
        pytest.param(
            in_log(no_endpoint={"172.18.0.1": 40}),
            [
                (
                    "log-activity?",
                    "Whoever guesses passwords is not banned",
                    "40 requests of strangers seem to come from 172.18.0.1, Docker's own gateway",
                )
            ],
            id="Docker hides who calls",
        ),
        pytest.param(
            in_table("iptables", "-A DOCKER-USER -j SIP-BLACKLIST", NOT_FIRST),
            [
                (
                    "blacklist-docker-user",
                    f"{BANNED} to the PBX",
                    "IPv4: DOCKER-USER does not jump to SIP-BLACKLIST first. `iptables -S DOCKER-USER` "
                    "begins with: -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                )
            ],
            id="not first in DOCKER-USER",
        ),
        pytest.param(
            in_table("iptables", "-A FORWARD -j DOCKER-USER\n", ""),
            [
                (
                    "blacklist-docker-user",
                    f"{BANNED} to the PBX",
                    "IPv4: FORWARD does not jump to DOCKER-USER first. `iptables -S FORWARD` begins with: "
                    "-j DOCKER-ISOLATION-STAGE-1",
                )
            ],
            id="DOCKER-USER not reached",
        ),
        pytest.param(
            in_table("ip6tables", "-A INPUT -j SIP-BLACKLIST\n", ""),
            [
                (
                    "blacklist-input",
                    f"{BANNED} to the server itself",
                    "IPv6: INPUT does not jump to SIP-BLACKLIST first. `ip6tables -S INPUT` is empty",
                )
            ],
            id="not in INPUT for IPv6",
        ),
        pytest.param(
            in_table(
                "iptables",
                "-A SIP-BLACKLIST -m set --match-set sip-blacklist-v4 src",
                "-A SIP-BLACKLIST -j RETURN\n#",
            ),
            [
                (
                    "blacklist-sets",
                    BANNED,
                    f"IPv4: SIP-BLACKLIST does not hold, or does not reach: {rule}",
                )
                for rule in blacklist_rules(4, WANTED.ports)
            ],
            id="set match after a return",
        ),
        pytest.param(
            lambda raw: raw["host"]["sets"].update(text="Name: other\nNumber of entries: 3\n"),
            [
                ("blacklist-sets", BANNED, f"the set sip-{kind}-v{version} does not exist")
                for version in (4, 6)
                for kind in ("blacklist", "banned", "never")
            ],
            id="no sets",
        ),
        pytest.param(
            lambda raw: raw["host"]["ip6tables"].update(text="", error="ip6tables-save is not installed"),
            [
                (
                    "blacklist-docker-user",
                    f"{BANNED} to the PBX",
                    "IPv6: ip6tables-save is not installed",
                ),
                (
                    "blacklist-input",
                    f"{BANNED} to the server itself",
                    "IPv6: ip6tables-save is not installed",
                ),
                ("blacklist-sets", BANNED, "IPv6: ip6tables-save is not installed"),
            ],
            id="no ip6tables",
        ),
        pytest.param(
            lambda raw: raw["host"]["iptables"].update(
                text=raw["host"]["iptables"]["text"].replace(" -m set ! --match-set sip-never-v4 src", "")
            ),
            [
                (
                    "blacklist-sets",
                    BANNED,
                    f"IPv4: SIP-BLACKLIST does not hold, or does not reach: {rule}",
                )
                for rule in blacklist_rules(4, WANTED.ports)
                if "sip-banned-v4 src" in rule
            ],
            id="bans bind the carrier",
        ),
        pytest.param(
            in_table("iptables", "-A DOCKER-USER -j SIP-GUARD\n", ""),
            [("strangers", STRANGERS, "DOCKER-USER does not jump to SIP-GUARD behind the list")],
            id="audio of strangers passes",
        ),
        pytest.param(
            in_table("iptables", "-A SIP-GUARD -p udp", "-A SIP-GUARD -p sctp"),
            [("strangers", STRANGERS, "SIP-GUARD does not hold its rules")],
            id="a rule about strangers was edited",
        ),
        pytest.param(
            in_table("iptables", "-A SIP-GUARD -s 172.30.255.252/30 -d 169.254.0.0/16 -j DROP\n", ""),
            [
                (
                    "strangers",
                    STRANGERS,
                    "SIP-GUARD lets the container reach the services of the cloud, 169.254.0.0/16",
                )
            ],
            id="the cloud's credentials can be had",
        ),
        pytest.param(
            in_table(
                "iptables", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m multiport ! --dports 53", ""
            ),
            [("strangers", STRANGERS, "SIP-GUARD lets the container connect to anybody over TCP")],
            id="the container connects to anybody",
        ),
        pytest.param(
            in_table("raw", "--dport 5060 --tcp-flags", "--dport 5062 --tcp-flags"),
            [("strangers", STRANGERS, "SIP-ARRIVAL in the table raw does not hold its rules")],
            id="connections pass",
        ),
        pytest.param(
            in_table(
                "raw", "-m multiport ! --dports 53,5060 -m addrtype --dst-type LOCAL -j DROP", "-j RETURN"
            ),
            [("strangers", STRANGERS, "SIP-ARRIVAL lets the container reach the server's own services")],
            id="the server's services can be had",
        ),
        pytest.param(
            in_table("raw", "-A PREROUTING -j SIP-ARRIVAL\n", ""),
            [("strangers", STRANGERS, "PREROUTING in the table raw does not jump to SIP-ARRIVAL first")],
            id="floods pass",
        ),
        pytest.param(
            in_table("raw", "-m rpfilter --invert", "-m rpfilter --validmark --invert"),
            [("strangers", STRANGERS, "SIP-STRANGERS in the table raw does not hold its rules")],
            id="forged senders pass",
        ),
        pytest.param(
            in_table("sip-known-v4", "add sip-known-v4 198.18.100.101 timeout 86000\n", ""),
            [
                (
                    "strangers",
                    STRANGERS,
                    "phone 101 is registered from 198.18.100.101, which is not known: its audio is dropped",
                )
            ],
            id="a phone taken for a stranger",
        ),
        pytest.param(
            lambda raw: raw["host"]["sip-known-v4"].update(error="The set does not exist"),
            [("strangers", STRANGERS, "the set sip-known-v4 cannot be read: The set does not exist")],
            id="nobody is known",
        ),
        pytest.param(
            lambda raw: raw["drop"]["ways"][1].update(dropped=1),
            [
                (
                    "blacklist-drops",
                    BANNED,
                    "published ports: 1 of 3 packets of a banned source were dropped",
                )
            ],
            id="the chain does not drop",
        ),
        pytest.param(
            lambda raw: raw.update(drop={"error": "there is no /dev/net/tun", "ways": []}),
            [("blacklist-drops?", BANNED, "could not be tried: there is no /dev/net/tun")],
            id="no packet can be sent",
        ),
        pytest.param(lambda raw: raw.update(drop=None), [], id="check mode sends none"),
        pytest.param(
            lambda raw: raw["host"]["jails"].update(text="Status\n`- Jail list:\tsshd\n"),
            [
                (
                    "automatic-bans",
                    "Whoever guesses passwords is not banned",
                    f"the jail sip-{name} of fail2ban does not run",
                )
                for name in ("guessing", "enumeration", "calls")
            ],
            id="fail2ban without our jails",
        ),
        pytest.param(
            lambda raw: raw["host"]["jails"].update(text="", error="fail2ban-client is not installed"),
            [
                (
                    "automatic-bans",
                    "Whoever guesses passwords is not banned",
                    "fail2ban-client is not installed",
                )
            ],
            id="no fail2ban",
        ),
    ],
)
def test_a_fault_around_asterisk_is_named(edit: Edit, expected: list[tuple[str, str, str]]) -> None:
    raw = sound()
    edit(raw)
    assert wrong(check(raw)) == expected


@pytest.mark.parametrize(
    ("edit", "seen"),
    [
        pytest.param(
            no_container, "there is no container; `docker compose ps` lists nothing", id="no container"
        ),
        pytest.param(stopped, "the container is exited, exit code 137", id="container down"),
        pytest.param(
            lambda raw: raw.update(
                console={"error": "its console gives no answer within 10 s", "answers": {}}
            ),
            "the container runs, but its console gives no answer within 10 s",
            id="Asterisk hangs",
        ),
    ],
)
def test_what_cannot_be_checked_is_neither_passed_nor_failed(edit: Edit, seen: str) -> None:
    raw = sound()
    edit(raw)
    results = check(raw)
    assert wrong(results) == [("compose-state", "Nothing answers: no call, no registration", seen)]
    assert {result.status for check in CHECKS if check.needs_console for result in [results[check.name]]} == {
        Status.UNCHECKED
    }


def test_no_answer_from_outside_is_named() -> None:
    silence = "OPTIONS sip:198.18.0.10:5060 over UDP: no answer within 3 s"
    assert wrong(check(sound(), probes={"udp": silence, "tcp": ANSWER})) == [
        ("options-udp", "Extensions do not register, incoming calls do not arrive", silence)
    ]


def test_an_old_asterisk_is_named() -> None:
    results = check(sound(), replace(WANTED, minimum_version="22.11"))
    assert [(name, seen) for name, _, seen in wrong(results)] == [
        ("version", "Asterisk 22.10.1 runs, at least 22.11 is wanted")
    ]


def test_a_sudden_change_is_a_warning_with_what_to_do() -> None:
    raw = sound()
    raw["log"]["changes"] = [
        "2026-11-23 01:18:00 +0000: First call abroad of extension 102: to +493012345678"
    ]
    (problem,) = check(raw)["log-activity"].problems
    assert "First call abroad of extension 102" in problem.seen
    assert "rotate_passwords.yml" in (problem.remedy or "")


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (
            lambda raw: raw["host"]["apt"].update(
                text="runc:\n  Installed: 1.1.15+ds1-2\n  Candidate: 1.1.15+ds1-2+deb13u1\n  Version table:\n"
            ),
            "runc 1.1.15+ds1-2 is installed, 1.1.15+ds1-2+deb13u1 is there",
        ),
        (
            lambda raw: raw.update(lists_seconds=15 * 86400),
            "the package lists were not fetched for 15 days: nobody knows what is newer",
        ),
        (
            lambda raw: raw.update(lists_seconds=None),
            "the package lists were not fetched ever: nobody knows what is newer",
        ),
        (
            lambda raw: raw["container"].update(image_created=days_ago(31)),
            "Asterisk's image was built 31 days ago",
        ),
    ],
    ids=["newer package", "old lists", "no lists", "old image"],
)
def test_what_is_not_up_to_date_is_a_warning(change: Callable[[Raw], None], seen: str) -> None:
    raw = sound()
    change(raw)
    assert [(name, what) for name, _, what in wrong(check(raw))] == [("updates?", seen)]
    assert "make update" in check(raw)["updates"].problems[0].remedy


def test_a_server_without_apt_is_told_its_image_alone() -> None:
    raw = sound()
    raw["host"]["apt"] = {"text": "", "error": "apt-cache is not installed"}
    assert check(raw)["updates"].summary == "image of 7 days; apt does not say"


def test_without_tcp_nobody_may_answer_there() -> None:
    wanted = replace(WANTED, sip_tcp=False)
    seen = [(name, what.partition(";")[0]) for name, _, what in wrong(check(sound(), wanted))]
    assert seen == [
        ("options-tcp", "somebody answers, and pbx_sip_tcp is false"),
        ("published-ports?", "published without being declared: 5060/tcp"),
    ]
    raw = sound()
    del raw["container"]["ports"]["5060/tcp"]
    answers = raw["console"]["answers"]
    answers["pjsip show transports"] = re.sub(".*transport-tcp.*\n", "", answers["pjsip show transports"])
    results = check(raw, wanted, {**PROBES, "tcp": "Connection refused"})
    assert wrong(results) == []
    assert results["options-tcp"].summary == "switched off"


def test_the_port_for_phones_of_its_own_networks_is_missed() -> None:
    seen = wrong(check(sound(), replace(WANTED, local_sip_port=5062)))
    assert [(name, what.partition(";")[0]) for name, _, what in seen] == [
        ("transports", "no transport for UDP on port 5062"),
        ("published-ports", "not published: 5062/udp"),
    ]


def test_a_silent_carrier_can_be_a_warning() -> None:
    raw = sound()
    contacts("Unavail")(raw)
    assert check(raw, replace(WANTED, trunks_must_answer=False))["trunk-aors"].status is Status.WARNING
    # Half of the carrier out of reach is always one.
    assert check(copy.deepcopy(DEPLOYED))["trunk-aors"].status is Status.WARNING


def test_a_site_without_trunks_and_phones_passes() -> None:
    raw = sound()
    answers = raw["console"]["answers"]
    answers.update({"pjsip show endpoints": "", "pjsip show identifies": "", "pjsip list auths": ""})
    assert wrong(check(raw, replace(WANTED, trunks=(), extensions=(), dial_checks=()))) == []


def test_every_remedy_can_be_filled_in_and_every_name_is_unique() -> None:
    assert len({check.name for check in CHECKS}) == len({check.title for check in CHECKS}) == len(CHECKS)
    for one in CHECKS:
        filled = one.remedy.format(root_dir="/opt/callcenter", about="x")
        assert filled.endswith(".")
        assert "{" not in filled


def test_rtp_pairs_are_whole() -> None:
    def pairs(first: int, last: int) -> tuple[int, int]:
        return replace(WANTED, rtp_first=first, rtp_last=last).rtp_pairs

    assert [pairs(10000, 10100), pairs(10000, 10099), pairs(10001, 10004)] == [
        (10000, 10099),
        (10000, 10099),
        (10002, 10003),
    ]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param([], "none", id="none"),
        pytest.param(["5060/udp"], "5060/udp", id="one"),
        pytest.param(
            ["12/udp", "10/udp", "11/udp", "9/tcp", "14/udp"], "9/tcp, 10-12/udp, 14/udp", id="runs"
        ),
    ],
)
def test_spell_ports(ports: list[str], expected: str) -> None:
    assert spell_ports(ports) == expected


def test_spell_quantities() -> None:
    assert [spell_seconds(seconds) for seconds in (0, 119, 120, 7200, 200000)] == [
        "0 s",
        "119 s",
        "2 min",
        "2 h",
        "2 days",
    ]
    assert [spell_bytes(size) for size in (0, 2047, 2048, 5 * 1024**2, 3 * 1024**3)] == [
        "0 bytes",
        "2047 bytes",
        "2 KiB",
        "5 MiB",
        "3 GiB",
    ]


def test_set_sizes() -> None:
    assert set_sizes(DEPLOYED["host"]["sets"]["text"]) == {
        "sip-blacklist-v4": 0,
        "sip-blacklist-v6": 0,
        "sip-banned-v4": 1,
        "sip-banned-v6": 1,
        "sip-never-v4": 9,
        "sip-never-v6": 9,
    }


@pytest.mark.parametrize("error", ["its name server does not answer", "there is no such name"])
def test_a_carrier_whose_name_leads_nowhere_is_named(error: str) -> None:
    raw = sound()
    raw["names"] = {TERMINATION: error}
    assert wrong(check(raw)) == [
        (
            "carrier-names",
            "Outgoing calls end with a prompt after some seconds, emergency calls too",
            f"trunk twilio-na-us: {TERMINATION} cannot be resolved: {error}",
        )
    ]


def test_the_dialplan_may_be_the_one_that_counts_calls() -> None:
    raw = sound()
    answers = raw["console"]["answers"]
    answers["core show channels count"] = re.sub(
        r" \(.*?\)| of \d+ max", "", answers["core show channels count"]
    )
    assert wrong(check(raw)) == []
    answers["core show channels count"] = "0 active channels\n0 of 30 max active calls (0.00% of capacity)\n"
    assert [seen for _name, _symptom, seen in wrong(check(raw))] == [
        "30 calls are taken, the media ports carry 25: those beyond are silent"
    ]


def test_a_chain_of_nftables_that_drops_is_named_with_what_lets_calls_through() -> None:
    raw = sound()
    chain = {"family": "inet", "table": "filter", "name": "forward", "hook": "forward", "policy": "drop"}
    raw["host"]["nft"] = {"text": json.dumps({"nftables": [{"chain": chain}]}), "error": None}
    assert wrong(check(raw)) == [], "calls get through: whatever the chain is, it accepts them"
    results = check(raw, probes={**PROBES, "udp": "no answer from 198.18.0.10:5060/udp within 3 s"})
    (problem,) = results["options-udp"].problems
    assert problem.seen.endswith(
        "nftables, table inet filter, chain forward (hook forward) drops what none of its rules accepts"
    )
    assert "nft insert rule inet filter forward udp dport { 5060, 10000-10100 } accept" in problem.remedy


def test_whose_audio_was_dropped_is_said() -> None:
    raw = sound()
    raw["host"]["sip-unheard-v4"]["text"] += (
        "add sip-unheard-v4 203.0.113.9 timeout 3599 packets 50 bytes 8600\n"
    )
    summary = check(raw)["strangers"].summary
    assert summary == (
        "few packets, no audio; audio of 1 dropped within the hour (203.0.113.9): see `make blocked`"
    )
