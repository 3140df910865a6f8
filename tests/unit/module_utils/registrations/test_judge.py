"""Which password a phone uses: from captured requests to the table on the console."""

from __future__ import annotations

import hashlib
import struct
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations import judge as registrations
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.judge import (
    NEW,
    OLD,
    Attempt,
    Secrets,
    attempts,
    judge,
    parse_register,
)

# Two requests, as Asterisk 22.10.1 wrote them: one without and one with an answer to the challenge.
REAL = (Path(__file__).parents[2] / "fixtures" / "registrations.pcap").read_bytes()
NOW = 1_800_000_000.0


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def a1(password: str, number: str = "100") -> str:
    return md5(f"{number}:asterisk:{password}")


SECRETS = {"100": Secrets(a1("new"), a1("old")), "101": Secrets(a1("new1", "101"), a1("old1", "101"))}


def digest(password: str, number: str = "100", qop: bool = True) -> dict[str, str]:
    """The parameters of an answer to a challenge."""
    found = {"username": number, "realm": "asterisk", "nonce": "1/2", "uri": "sip:192.0.2.10"}
    middle = "1/2"
    if qop:
        found |= {"qop": "auth", "nc": "00000001", "cnonce": "c,1"}
        middle += ":00000001:c,1:auth"
    return found | {"response": md5(f"{a1(password, number)}:{middle}:{md5('REGISTER:sip:192.0.2.10')}")}


def register(parameters: dict[str, str], *more: str, start: str = "REGISTER sip:192.0.2.10 SIP/2.0") -> bytes:
    """The request, with the digest's parameters quoted."""
    quoted = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return "\r\n".join((start, "Call-ID: a", f"Authorization: Digest {quoted}", *more, "", "")).encode()


def capture(payload: bytes, source: str = "192.0.2.100", port: int = 5070, seconds: int = 1) -> bytes:
    """A file with one packet; addresses that Asterisk does not know are zero."""
    address = ip_address(source)
    ip = (
        bytes(12) + address.packed + bytes(4)
        if address.version == 4
        else bytes(8) + address.packed + bytes(16)
    )
    kind = b"\x08\x00" if address.version == 4 else b"\x86\xdd"
    frame = bytes(12) + kind + ip + struct.pack(">HHHH", port, 0, 8 + len(payload), 0) + payload
    header = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return header + struct.pack("<IIII", seconds, 500_000, len(frame), len(frame)) + frame


# --- Reading --------------------------------------------------------------------------------------


def test_what_asterisk_wrote_is_read() -> None:
    (found,) = attempts([REAL])
    assert (found.source, found.contact, found.seconds) == ("172.17.0.1:6001", "sip:100@172.17.0.1:6001", 120)
    assert registrations.fits(found.digest, a1("old-pass-of-100"))
    assert not registrations.fits(found.digest, a1("new-pass-of-100"))


CUT = {
    "empty": (b"", 0),
    "no capture": (b"x" * 100, 0),
    "header only": (REAL[:24], 0),
    "in a record's header": (REAL[:30], 0),
    "in the first packet": (REAL[:100], 0),
    "in the last packet": (REAL[:-1], 0),
    "whole": (REAL, 1),
    "zeros behind it": (REAL + bytes(64), 1),
}


@pytest.mark.parametrize(("content", "count"), CUT.values(), ids=CUT)
def test_a_capture_may_end_anywhere(content: bytes, count: int) -> None:
    assert len(attempts([content])) == count


def test_the_source_may_have_either_family() -> None:
    payload = register(digest("new"), "Contact: <sip:a@b>")
    found = attempts([capture(payload, "2001:db8::7", 5080, 2), capture(payload, seconds=1)])
    assert [(one.time, one.source) for one in found] == [
        (1.5, "192.0.2.100:5070"),
        (2.5, "[2001:db8::7]:5080"),
    ]


REQUESTS = {
    "default": (("Contact: <sip:a@b>",), "sip:a@b", 600),
    "header": (("Contact: <sip:100@192.0.2.7;ob>", "Expires: 300"), "sip:100@192.0.2.7;ob", 300),
    "parameter wins": (("Expires: 300", "Contact: <sip:a@b>;q=1;expires=120"), "sip:a@b", 120),
    "no brackets": (("m: sip:a@b;expires=90",), "sip:a@b", 90),
    "too short": (("Contact: <sip:a@b>", "Expires: 5"), "sip:a@b", 60),
    "too long": (("Contact: <sip:a@b>", "Expires: 99999"), "sip:a@b", 3600),
    "nonsense": (("Contact: <sip:a@b>", "Expires: soon"), "sip:a@b", 600),
    "taken back": (("Contact: *", "Expires: 0"), "", 0),
    "folded": (("Contact: <sip:a@b>", " ;expires=61"), "sip:a@b", 61),
}


@pytest.mark.parametrize(("headers", "contact", "seconds"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_says_where_and_for_how_long(headers: tuple[str, ...], contact: str, seconds: int) -> None:
    found = parse_register(1.0, "192.0.2.7:5060", register(digest("new"), *headers))
    assert found is not None
    assert (found.call_id, found.contact, found.seconds) == ("a", contact, seconds)
    assert found.digest == digest("new")


OTHERS = {
    "another method": register(digest("new"), start="INVITE sip:192.0.2.10 SIP/2.0"),
    "an answer": register(digest("new"), start="SIP/2.0 200 OK"),
    "only a question": register(digest("new")),
    "no digest": b"REGISTER sip:192.0.2.10 SIP/2.0\r\nCall-ID: digest\r\n\r\n",
    "another scheme": b"REGISTER sip:192.0.2.10 SIP/2.0\r\nAuthorization: Basic digest\r\n\r\n",
    "no SIP": b"\x00\xff digest",
}


@pytest.mark.parametrize("payload", OTHERS.values(), ids=OTHERS)
def test_other_messages_do_not_count(payload: bytes) -> None:
    assert attempts([capture(payload)]) == []


STORED = (
    '/registrar/contact/100;@5ab1: {"via_addr":"192.0.2.7","uri":"sip:100@192.0.2.7:5071^3Btransport=TCP",'
    '"user_agent":"Phone: 1","expiration_time":"1795464528"}\n'
    '/registrar/contact/101;@77aa                     : {"uri":"sips:101@[2001:db8::7]:5061",'
    '"expiration_time":"1795464528"}\n'
    "/registrar/contact/102;@1: {broken}\n"
    "3 results found.\n"
)


def test_registered_contacts_are_read_from_asterisks_store() -> None:
    until = "2026-11-23T20:08:48Z"
    assert registrations.stored_contacts(STORED) == {
        "100": [
            {
                "uri": "sip:100@192.0.2.7:5071;transport=TCP",
                "address": "192.0.2.7:5071",
                "user_agent": "Phone: 1",
                "until": until,
            }
        ],
        "101": [
            {
                "uri": "sips:101@[2001:db8::7]:5061",
                "address": "[2001:db8::7]:5061",
                "user_agent": "",
                "until": until,
            }
        ],
    }


def test_only_extensions_with_two_digests_are_being_changed_over() -> None:
    stanza = "[{}]\ntype = auth\npassword_digest = MD5:{}\n"
    names = {"100-iauth": "a", "100-previous": "b", "101-iauth": "c", "102-previous": "d"}
    text = "".join(stanza.format(*item) for item in names.items())
    text += "[carrier-auth]\ntype = auth\npassword = x\n"
    assert registrations.overlap_secrets({"pjsip_auth.conf": text}) == {"100": Secrets("a", "b")}
    assert registrations.overlap_secrets({}) == {}


# --- Judging --------------------------------------------------------------------------------------

DIGESTS = {
    "with qop": (digest("new"), True),
    "without qop": (digest("new", qop=False), True),
    "algorithm named": (digest("new") | {"algorithm": "md5"}, True),
    "upper-case response": ({**digest("new"), "response": digest("new")["response"].upper()}, True),
    "another password": (digest("old"), False),
    "another number": (digest("new", "101"), False),
    "another nonce": (digest("new") | {"nonce": "1/3"}, False),
    "another count": (digest("new") | {"nc": "00000002"}, False),
    "another address": (digest("new") | {"uri": "sip:192.0.2.11"}, False),
    "another algorithm": (digest("new") | {"algorithm": "SHA-256"}, False),
    "another protection": (digest("new") | {"qop": "auth-int"}, False),
    "nothing": ({}, False),
}


@pytest.mark.parametrize(("parameters", "expected"), DIGESTS.values(), ids=DIGESTS)
def test_a_digest_fits_one_password(parameters: dict[str, str], expected: bool) -> None:
    assert registrations.fits(parameters, a1("new")) is expected


def attempt(
    password: str, ago: int, device: str = "a", *, number: str = "100", seconds: int = 600
) -> Attempt:
    """A request ``ago`` seconds before NOW; a device has its own address, Call-ID and contact."""
    parameters = digest(password, number)
    return Attempt(NOW - ago, f"{device}:5060", f"call-{device}", f"sip:{device}", seconds, parameters)


VERDICTS: dict[str, tuple[list[Attempt], tuple[str, int] | None]] = {
    "never": ([], None),
    "a wrong password": ([attempt("wrong", 10)], None),
    "new": ([attempt("new", 10)], (NEW, 10)),
    "old": ([attempt("old", 10)], (OLD, 10)),
    "changed over": ([attempt("old", 20), attempt("new", 10)], (NEW, 10)),
    "changed back": ([attempt("new", 20), attempt("old", 10)], (OLD, 10)),
    "wrong since": ([attempt("new", 20), attempt("wrong", 10)], (NEW, 20)),
    "a second device with the old": ([attempt("new", 20), attempt("old", 10, "b")], (OLD, 10)),
    "a second device had the old before": ([attempt("old", 20, "b"), attempt("new", 10)], (OLD, 20)),
    "the second device is gone": ([attempt("old", 700, "b"), attempt("new", 10)], (NEW, 10)),
    "the second device took it back": (
        [attempt("old", 30, "b"), attempt("old", 20, "b", seconds=0), attempt("new", 10)],
        (NEW, 10),
    ),
    "gone, and last seen with the old": ([attempt("new", 900), attempt("old", 800)], (OLD, 800)),
    "gone, and last seen with the new": ([attempt("old", 9000), attempt("new", 8000, "b")], (NEW, 8000)),
}


@pytest.mark.parametrize(("found", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_a_phone_uses(found: list[Attempt], expected: tuple[str, int] | None) -> None:
    seen = judge(found, SECRETS, NOW).get("100")
    assert (seen and (seen.password, round(NOW - seen.attempt.time))) == expected


SAME = {
    "another port and call, the same contact": ("x:1", "call-x", "sip:a", NEW),
    "another contact and call, the same port": ("a:5060", "call-x", "sip:x", NEW),
    "another port and contact, the same call": ("x:1", "call-a", "sip:x", NEW),
    "everything is another": ("x:1", "call-x", "sip:x", OLD),
    "contacts that are not there are not the same": ("x:1", "call-x", "", OLD),
}


@pytest.mark.parametrize(("source", "call_id", "contact", "password"), SAME.values(), ids=SAME)
def test_a_phone_is_known_again_by(source: str, call_id: str, contact: str, password: str) -> None:
    again = Attempt(NOW - 5, source, call_id, contact, 600, digest("new"))
    first = attempt("old", 10)
    if not contact:
        first = Attempt(first.time, first.source, first.call_id, "", 600, first.digest)
    assert judge([first, again], SECRETS, NOW)["100"].password == password


def test_extensions_are_judged_alone_and_only_during_their_overlap() -> None:
    found = [attempt("old", 9), attempt("new1", 8, number="101"), attempt("x", 7, number="102")]
    assert {number: seen.password for number, seen in judge(found, SECRETS, NOW).items()} == {
        "100": OLD,
        "101": NEW,
    }


# --- Telling --------------------------------------------------------------------------------------

EXTENSIONS = [{"number": number, "name": f"Agent {number}"} for number in ("100", "101", "102")]


def phones(*found: Attempt, secrets: dict[str, Secrets] = SECRETS) -> list[dict[str, Any]]:
    return registrations.describe(
        EXTENSIONS, registrations.stored_contacts(STORED), secrets, judge(found, secrets, NOW)
    )


def test_the_table_shows_each_phone() -> None:
    assert registrations.table(phones(attempt("old", 10))).splitlines() == [
        "extension  name       registered from     password      seen",
        "100        Agent 100  192.0.2.7:5071      old           2027-01-15T07:59:50Z from a:5060",
        "101        Agent 101  [2001:db8::7]:5061  not seen yet",
        "102        Agent 102  -                   -",
    ]


ADVICE = {
    "no overlap": (phones(secrets={}), "2 of 3 phones are registered. No password is being replaced."),
    "some are missing": (
        phones(attempt("old", 10)),
        "2 phones are being changed over, 2 missing: 100 (old), 101 (not seen yet).\n"
        "Give them the new password. Each shows here when it next registers, within the hour.\n"
        "Finishing now (-e finish=true) would cut the missing ones off.",
    ),
    "all are there": (
        phones(attempt("new", 10), attempt("new1", 10, number="101")),
        "2 phones are being changed over, all seen with the new password. Refuse the old:\n"
        "ansible-playbook playbooks/rotate_passwords.yml -e rotate=100,101 -e finish=true",
    ),
}


@pytest.mark.parametrize(("described", "expected"), ADVICE.values(), ids=ADVICE)
def test_the_advice_names_the_next_step(described: list[dict[str, Any]], expected: str) -> None:
    assert registrations.advice(described) == expected


def test_a_description_holds_no_digest() -> None:
    told = repr(phones(attempt("old", 10)))
    assert not any(part in told for part in (SECRETS["100"].old, digest("old")["response"]))
