"""Automatic bans: whom a line of Asterisk's logs accuses, and what fail2ban is told to do about it.

The logs in the fixtures are Asterisk 22.10.1's own, of a client at 127.0.0.2 (and once 127.0.0.3) that put
quotes, line breaks, broken UTF-8 and forged pieces of log lines, accusing 9.9.9.9, wherever SIP lets it.
"""

from __future__ import annotations

import os
import re
import runpy
import sqlite3
import stat
import subprocess
import time
from collections import Counter
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import BANNED, JAILS, NEVER
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import RESERVED

from tests.unit.fail2ban_filter import Filter

ROLE = Path(__file__).parents[2] / "roles" / "sip_bans"
FIXTURES = Path(__file__).parent / "fixtures" / "sip_bans"
SCRIPT = ROLE / "files" / "callcenter-ban"
OFFENCES = ("guessing", "enumeration", "calls")

SECURITY = '[2026-11-23 20:51:56] SECURITY[84] res_security_log.c: SecurityEvent="{event}",'
EVENT = 'EventTV="2026-11-23T20:51:56.816+0000",Severity="Error",Service="PJSIP",EventVersion="1",'
LOCAL = 'LocalAddress="IPV4/UDP/172.18.0.2/5060",'
FAILED = SECURITY.format(event="ChallengeResponseFailed") + EVENT
INVALID = SECURITY.format(event="InvalidAccountID") + EVENT
REQUEST = "[2026-11-23 20:51:56] NOTICE[70] res_pjsip/pjsip_distributor.c: Request "
ANSWER = 'Challenge="1/a",Response="b",ExpectedResponse=""'
REAL = 'RemoteAddress="IPV4/UDP/203.0.113.7/5060"'
FORGED = f'{LOCAL}RemoteAddress="IPV4/UDP/9.9.9.9/1"'
UNKNOWN = "No matching endpoint found"


def accused(line: str) -> dict[str, str]:
    """Return the address a line accuses, by offence."""
    found = {offence: Filter(ROLE / "files" / "filter.conf", offence).address(line) for offence in OFFENCES}
    return {offence: address for offence, address in found.items() if address}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            f'{FAILED}AccountID="100",SessionID="a@b",{LOCAL}{REAL},{ANSWER}',
            {"guessing": "203.0.113.7"},
            id="wrong password",
        ),
        pytest.param(
            f'{FAILED}AccountID="<unknown>",SessionID="a",{LOCAL}{REAL},{ANSWER}',
            {"guessing": "203.0.113.7"},
            id="a password for no account",
        ),
        pytest.param(
            f'{FAILED}AccountID="100",SessionID="a",LocalAddress="IPV6/TCP/2001:db8::2/5060",'
            f'RemoteAddress="IPV6/TCP/2001:db8:1::9/40000",{ANSWER}',
            {"guessing": "2001:db8:1::9"},
            id="wrong password over IPv6 and TCP",
        ),
        pytest.param(
            SECURITY.format(event="ChallengeSent")
            + f'{EVENT}AccountID="<unknown>",SessionID="x",{FORGED},Challenge="",{LOCAL}{REAL},Challenge=""',
            {"enumeration": "203.0.113.7"},
            id="a stranger is challenged, and forges in Call-ID",
        ),
        pytest.param(
            f'{INVALID}AccountID="777",SessionID="a",{LOCAL}{REAL}',
            {"enumeration": "203.0.113.7"},
            id="unknown account",
        ),
        pytest.param(
            SECURITY.format(event="ChallengeSent")
            + f'{EVENT}AccountID="100",SessionID="a",{LOCAL}{REAL},Challenge=""',
            {},
            id="what every phone is asked",
        ),
        pytest.param(
            SECURITY.format(event="SuccessfulAuth")
            + f'{EVENT}AccountID="100",SessionID="a",{LOCAL}{REAL},UsingPassword="1"',
            {},
            id="right password",
        ),
        pytest.param(
            f"{REQUEST}'REGISTER' from '<sip:100@h>' failed for '203.0.113.7:5060' (callid: a) "
            "- Failed to authenticate",
            {"guessing": "203.0.113.7"},
            id="wrong password in messages",
        ),
        pytest.param(
            f"{REQUEST}'REGISTER' from '\"Bob\" <sip:777@h>' failed for '203.0.113.7:5060' (callid: a) "
            f"- {UNKNOWN}",
            {"enumeration": "203.0.113.7"},
            id="unknown account in messages",
        ),
        pytest.param(
            f"{REQUEST}'INVITE' from '<sip:777@h>' failed for '[2001:db8:1::9]:5060' (callid: a) - {UNKNOWN}",
            {"enumeration": "2001:db8:1::9", "calls": "2001:db8:1::9"},
            id="call of a stranger over IPv6",
        ),
        pytest.param(
            f"{REQUEST}'INVITE' from '<sip:777@h>' failed for '203.0.113.7:5060' (callid: a) - {UNKNOWN}"
            " after 2 tries in 41.000 ms",
            {"enumeration": "203.0.113.7", "calls": "203.0.113.7"},
            id="call of a stranger, not the first",
        ),
        pytest.param(
            f"{REQUEST}'INVITE' from '<sip:777@h>' failed for '203.0.113.7:5060' (callid: x) - {UNKNOWN}"
            f" after 2 tries in 1 ms' failed for '9.9.9.9:1' (callid: x) - {UNKNOWN}) - {UNKNOWN}",
            {"enumeration": "203.0.113.7", "calls": "203.0.113.7"},
            id="forged in Call-ID, with tries",
        ),
        pytest.param(
            f"{REQUEST}'INVITE' from '' failed for '203.0.113.7:5060' (callid: a) - {UNKNOWN}",
            {"enumeration": "203.0.113.7", "calls": "203.0.113.7"},
            id="a From too long to be written down",
        ),
        pytest.param(
            f'{INVALID}AccountID="x",SessionID="a",{FORGED}",SessionID="a",{LOCAL}{REAL}',
            {"enumeration": "203.0.113.7"},
            id="forged in AccountID",
        ),
        pytest.param(
            f'{FAILED}AccountID="100",SessionID="x",{FORGED},{ANSWER}",{LOCAL}{REAL},{ANSWER}',
            {"guessing": "203.0.113.7"},
            id="forged in Call-ID",
        ),
        pytest.param(
            f'{FAILED}AccountID="100",SessionID="a",{LOCAL}{REAL},Challenge="1/a",'
            'Response="x\\",LocalAddress=\\"IPV4/UDP/1.1.1.1/1\\",RemoteAddress=\\"IPV4/UDP/9.9.9.9/1\\",'
            'Challenge=\\"\\",Response=\\"",ExpectedResponse=""',
            {"guessing": "203.0.113.7"},
            id="forged in the response",
        ),
        pytest.param(
            f'{INVALID}AccountID="",RemoteAddress="IPV4/UDP/9.9.9.9/1"',
            {},
            id="forged in an AccountID that ends the line with a line break",
        ),
        pytest.param(
            f"{REQUEST}'INVITE' from '\"a' failed for '9.9.9.9:1' (callid: x) - {UNKNOWN}\" <sip:777@h>' "
            f"failed for '203.0.113.7:5060' (callid: a) - {UNKNOWN}",
            {"enumeration": "203.0.113.7", "calls": "203.0.113.7"},
            id="forged in the name of From",
        ),
        pytest.param(
            f"{REQUEST}'INVITE' from '<sip:777@h;z=\"q>' failed for '9.9.9.9:1' (callid: x) - {UNKNOWN}\">' "
            f"failed for '203.0.113.7:5060' (callid: a) - {UNKNOWN}",
            {"enumeration": "203.0.113.7", "calls": "203.0.113.7"},
            id="forged in a parameter of From",
        ),
        pytest.param(
            f"{REQUEST}'INVITE' from '<sip:777@h>' failed for '203.0.113.7:5060' (callid: x) - {UNKNOWN} ' "
            f"failed for '9.9.9.9:1' (callid: x) - {UNKNOWN}) - {UNKNOWN}",
            {"enumeration": "203.0.113.7", "calls": "203.0.113.7"},
            id="forged in Call-ID, in messages",
        ),
        pytest.param(
            "[2026-11-23 20:51:56] VERBOSE[70][C-00000001] pbx.c: "
            f"{REQUEST[22:]}'INVITE' from '<sip:7@h>' failed for '9.9.9.9:1' (callid: x) - {UNKNOWN}",
            {},
            id="forged in a name that the dial plan shows",
        ),
        pytest.param(
            f"{REQUEST[22:]}'INVITE' from '<sip:7@h>' failed for '9.9.9.9:1' (callid: x) - {UNKNOWN}",
            {},
            id="forged behind a line break",
        ),
    ],
)
def test_whom_a_line_accuses(line: str, expected: dict[str, str]) -> None:
    assert accused(line) == expected


@pytest.mark.parametrize("log", ["security", "messages"])
def test_no_line_of_a_hostile_client_accuses_another(log: str) -> None:
    text = (FIXTURES / log).read_bytes().decode("latin-1")
    assert "9.9.9.9" in text
    found = {address for line in text.split("\n") for address in accused(line).values()}
    assert found == {"127.0.0.2", "127.0.0.3"}


@pytest.mark.parametrize(
    ("offence", "reason", "events"),
    [
        ("guessing", "Failed to authenticate", "ChallengeResponseFailed"),
        ("enumeration", UNKNOWN, "InvalidAccountID"),
    ],
)
def test_whatever_asterisk_refused_is_counted(offence: str, reason: str, events: str) -> None:
    """Nothing a client puts into a request hides its offence from both logs."""
    seen = Filter(ROLE / "files" / "filter.conf", offence)
    lines = {
        log: (FIXTURES / log).read_bytes().decode("latin-1").split("\n") for log in ("security", "messages")
    }
    refused = [line for line in lines["messages"] if line.endswith(f" - {reason}")]
    assert len(refused) > 20
    assert [line for line in refused if seen.address(line) is None] == []
    # In `security` those with a line break in the account are lost; nothing else may be.
    logged = [line for line in lines["security"] if f'"{events}"' in line]
    missed = [line for line in logged if seen.address(line) is None]
    assert [line for line in missed if "RemoteAddress" in line] == []


def jails() -> dict[str, dict[str, str]]:
    """Return the rendered jails with the role's defaults, one of each kind of protected source."""
    variables = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    internal = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    environment = jinja2.Environment(keep_trailing_newline=True, trim_blocks=True)
    environment.filters["regex_replace"] = lambda text, old, new: re.sub(old, new, text, count=1)
    for jail in internal["__sip_bans_jails"]:
        for key in ("offences", "seconds"):
            jail[key] = int(environment.from_string(jail[key]).render(variables))
    text = environment.from_string((ROLE / "templates" / "jail.conf.j2").read_text()).render(
        variables,
        __sip_bans_jails=internal["__sip_bans_jails"],
        __sip_bans_ignored=[*internal["__sip_bans_reserved_networks"], "198.51.100.0/30"],
    )
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith(("#", " ")):
            key, _, value = line.partition("=")
            current[key.strip()] = value.strip()
        elif line.startswith(" "):
            current["ignoreip" if "ignoreip" in current else "logpath"] += line
    return found


def test_jails_are_those_that_are_looked_for() -> None:
    """The smoke checks ask for them by name."""
    assert list(jails()) == list(JAILS)


@pytest.mark.parametrize("jail", JAILS)
def test_an_attacker_is_banned_within_ten_seconds_and_a_mistyped_password_is_not(jail: str) -> None:
    """Two offences a second are slow for a scanner; a phone tries again every ten seconds at the most."""
    wanted = jails()[jail]
    lines = {"sip-guessing": 2, "sip-enumeration": 3, "sip-calls": 1}[jail]
    offences = int(wanted["maxretry"]) / lines
    assert offences / 2 < 10
    if jail != "sip-calls":  # a phone that is not registered places no calls
        assert offences > int(wanted["findtime"]) / 10
    assert (wanted["backend"], wanted["logtimezone"]) == ("polling", "UTC")


def test_protected_networks_are_ignored() -> None:
    reserved = {str(one.network) for one in RESERVED}
    wanted = {"198.51.100.0/30", *reserved}
    assert {name: set(jail["ignoreip"].split()) for name, jail in jails().items()} == dict.fromkeys(
        JAILS, wanted
    )


# -- what bans in the kernel ------------------------------------------------------------------


class Kernel:
    """Stand-ins for the programs the script calls: they write down how, and know who is where."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = directory / "calls"
        self.state = directory / "state"
        self.members = directory / "members"
        self.saved = directory / "saved"
        self.channels = directory / "channels"
        self.pause = directory / "pause"
        self.pause.write_text("0")
        self.state.write_text("active")
        self.members.touch()
        self.saved.touch()
        programs = {
            "ipset": f"""#!/bin/sh
case "$*" in
    '-quiet test '*) shift 2; grep -qxF "$*" {self.members} ;;
    'save '*) grep "^add $2 " {self.saved} ;;
    *restore) sed 's/^/restore /' >> {self.log} ;;
    *) echo "$*" >> {self.log} ;;
esac
""",
            "systemctl": f"#!/bin/sh\ncat {self.state}\n",
            "docker": f"""#!/bin/sh
case "$*" in
    'exec pbx asterisk -rx group show channels') sleep $(cat {self.pause}) && cat {self.channels} ;;
    *) echo "$*" >> {self.log} ;;
esac
""",
        }
        for name, text in programs.items():
            path = directory / name
            path.write_text(text)
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def run(self, *argv: str) -> list[str]:
        """Run the script; return the changes it made to the kernel's sets."""
        subprocess.run(["/bin/sh", SCRIPT, *argv], check=True, capture_output=True)
        return self.calls()

    def calls_in_time(self, count: int) -> list[str]:
        """Return what was done once there are so many, or after five seconds."""
        deadline = time.monotonic() + 5
        while len(self.calls()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.calls()

    def calls(self) -> list[str]:
        """Return what was done so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel without bans."""
    return Kernel(tmp_path, monkeypatch)


def timeouts(calls: list[str]) -> list[int]:
    """Return the seconds of the bans made."""
    return [int(found[1]) for call in calls if (found := re.search(r" timeout (\d+) ", call))]


@pytest.mark.parametrize(
    ("address", "name"), [("203.0.113.7", "sip-banned-v4"), ("2001:db8::7", "sip-banned-v6")]
)
def test_a_ban_says_why_since_when_and_until_when(kernel: Kernel, address: str, name: str) -> None:
    begin = int(time.time())
    calls = kernel.run("ban", address, f"{begin}.25", "3600", "0", "sip-guessing")
    assert [call.split(" timeout ")[0] for call in calls] == [f"-exist add {name} {address}"]
    assert calls[0].endswith(f" comment sip-guessing {begin}")
    assert timeouts(calls) == [pytest.approx(3600, abs=5)]
    assert name in BANNED.values()


@pytest.mark.parametrize(
    ("begun_before", "seconds", "expected"),
    [
        pytest.param(600, 3600, [3000], id="restored after a reboot"),
        pytest.param(3600, 3600, [], id="over"),
        pytest.param(0, 5_000_000, [2_147_483], id="longer than the kernel takes"),
        pytest.param(600, -1, [2_147_483], id="for ever"),
    ],
)
def test_a_ban_ends_when_it_was_to_end(
    kernel: Kernel, begun_before: int, seconds: int, expected: list[int]
) -> None:
    calls = kernel.run(
        "ban", "203.0.113.7", str(int(time.time()) - begun_before), str(seconds), "1", "sip-calls"
    )
    assert timeouts(calls) == [pytest.approx(one, abs=5) for one in expected]


def test_a_protected_source_is_not_banned(kernel: Kernel) -> None:
    kernel.members.write_text("sip-never-v4 198.51.100.1\nsip-never-v6 2001:db8::1\n")
    for address in ("198.51.100.1", "2001:db8::1"):
        assert kernel.run("ban", address, str(int(time.time())), "3600", "0", "sip-guessing") == []
    assert {name in NEVER.values() for name in ("sip-never-v4", "sip-never-v6")} == {True}


def test_a_restart_of_fail2ban_leaves_a_ban_as_it_is(kernel: Kernel) -> None:
    """Adding it again would set its counter to zero."""
    kernel.members.write_text("sip-banned-v4 203.0.113.7\n")
    assert kernel.run("ban", "203.0.113.7", str(int(time.time()) - 60), "3600", "1", "sip-guessing") == []
    assert len(kernel.run("ban", "203.0.113.7", str(int(time.time())), "3600", "0", "sip-guessing")) == 1


def test_an_unban_before_the_end_lets_in_and_one_at_the_end_is_the_kernels(kernel: Kernel) -> None:
    now = int(time.time())
    assert kernel.run("unban", "203.0.113.7", str(now - 3600), "3600") == []
    unbanned = ["-exist del sip-banned-v4 203.0.113.7"]
    assert kernel.run("unban", "203.0.113.7", str(now), "3600") == unbanned
    assert kernel.run("unban", "203.0.113.7", str(now - 3600), "-1") == unbanned * 2


SAVED = """add sip-banned-v4 203.0.113.7 timeout 60 packets 0 bytes 0 comment "sip-guessing 1795468251"
add sip-banned-v4 203.0.113.8 timeout 60 packets 0 bytes 0 comment "sip-calls 1795468251"
add sip-banned-v6 2001:db8:1:2:: timeout 60 packets 0 bytes 0 comment "sip-guessing 1795468251"
"""


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            "active",
            ["restore del sip-banned-v4 203.0.113.7", "restore del sip-banned-v6 2001:db8:1:2::"],
            id="unban --all lets in whom this jail banned",
        ),
        pytest.param("deactivating", [], id="a stop or restart lets nobody in"),
    ],
)
def test_flush(kernel: Kernel, state: str, expected: list[str]) -> None:
    kernel.state.write_text(state)
    kernel.saved.write_text(SAVED)
    assert kernel.run("flush", "sip-guessing") == expected


# As Asterisk 22 prints it; what follows the @ of a URI is taken for a part of the category.
CHANNELS = """Channel                    Group                 Category
PJSIP/100-00000000         all                   call
PJSIP/100-00000000         203.0.113.7:5071      source
PJSIP/101-00000001         sip:101               203.0.113.7:5060@source
PJSIP/102-00000002         sip:203.0.113.7:5060  source
PJSIP/twilio-na-us-00000003  198.51.100.1:5060     source
PJSIP/103-00000004         203.0.113.77:5060     source
PJSIP/104-00000005         sip:104               203.0.113.70:5060@source
PJSIP/105-00000006         sip:105               [2001:db8::7]:5060@source
8 active channels
"""


ENDED = ["100-00000000", "101-00000001", "102-00000002", "105-00000006"]


@pytest.mark.parametrize(
    ("restored", "container", "ended"),
    [
        pytest.param("0", "pbx", ENDED, id="a new ban"),
        pytest.param("1", "pbx", [], id="a ban from before a restart"),
        pytest.param("0", "", [], id="no PBX"),
    ],
)
def test_calls_of_banned_sources_are_hung_up(
    kernel: Kernel, restored: str, container: str, ended: list[str]
) -> None:
    kernel.channels.write_text(CHANNELS)
    banned = ["203.0.113.7", "198.51.100.1"]
    kernel.members.write_text(
        "".join(f"sip-banned-v4 {address}\n" for address in banned)
        + "sip-banned-v6 2001:db8::7\nsip-never-v4 198.51.100.1\n"
    )
    kernel.run("hangup", restored, container)
    assert kernel.calls_in_time(len(ended)) == [
        f"exec pbx asterisk -rx channel request hangup PJSIP/{name}" for name in ended
    ]


def test_of_many_bans_at_once_two_work_on_the_calls(kernel: Kernel) -> None:
    """The first one, which is slow here, and one that comes after it for all the others."""
    kernel.channels.write_text(CHANNELS)
    kernel.members.write_text("sip-banned-v4 203.0.113.7\n")
    kernel.pause.write_text("0.5")
    for _ in range(20):
        kernel.run("hangup", "0", "pbx")
    assert len(kernel.calls_in_time(6)) == 6
    time.sleep(0.7)
    assert len(kernel.calls()) == 6


def test_the_script_is_called_as_it_expects() -> None:
    """Each command of the action has as many words as the script takes, which fail2ban does not check."""
    action = (ROLE / "files" / "action.conf").read_text()
    calls = re.findall(r"^(?:action\w+ +=)? +/usr/local/sbin/callcenter-ban (\w+)(.*)$", action, re.M)
    expected = {"ban": 5, "unban": 3, "flush": 1, "hangup": 2}
    assert Counter(command for command, _ in calls) == {"ban": 2, "unban": 1, "flush": 1, "hangup": 1}
    assert [command for command, words in calls if len(words.split()) != expected[command]] == []


# -- what bans again at boot ------------------------------------------------------------------

BOOT = runpy.run_path(str(ROLE / "files" / "callcenter-restore-bans"), run_name="restore")


def test_bans_that_are_not_over_are_made_anew_at_boot(tmp_path: Path) -> None:
    now = 1_795_468_251
    database = tmp_path / "fail2ban.sqlite3"
    with sqlite3.connect(database) as connection:
        # As fail2ban 1.1 makes it, without its reference to another table.
        connection.execute(
            "CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, "
            "bantime INTEGER NOT NULL, bancount INTEGER NOT NULL default 1, data JSON, PRIMARY KEY(ip, jail))"
        )
        connection.executemany(
            "INSERT INTO bips(jail, ip, timeofban, bantime) VALUES (?, ?, ?, ?)",
            [
                ("sip-guessing", "203.0.113.7", now - 600, 3600),
                ("sip-enumeration", "2001:db8::7", now - 10, 5_000_000),
                ("sip-calls", "203.0.113.8", now - 3600, 3600),
                ("sip-calls", "203.0.113.9", now - 3600, -1),
                ("sshd", "203.0.113.10", now, 3600),
            ],
        )
    lines = BOOT["ban_lines"](BOOT["read_bans"](database), now)
    assert sorted(lines.splitlines()) == [
        f'add sip-banned-v4 203.0.113.7 timeout 3000 comment "sip-guessing {now - 600}" -exist',
        f'add sip-banned-v4 203.0.113.9 timeout 2147483 comment "sip-calls {now - 3600}" -exist',
        f'add sip-banned-v6 2001:db8::7 timeout 2147483 comment "sip-enumeration {now - 10}" -exist',
    ]


def test_bans_are_made_anew_before_a_port_is_published() -> None:
    unit = (ROLE / "files" / "callcenter-bans.service").read_text()
    assert "\nBefore=docker.service fail2ban.service\n" in unit
    assert "\nAfter=callcenter-firewall-sets.service\n" in unit
