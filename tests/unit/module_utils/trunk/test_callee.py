"""The far end of a trial call, packet by packet, as Asterisk 22.10.1 sends them."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.digest import (
    Challenge,
    authorization,
    choose_challenge,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import SipMessage, parse_message
from ansible_collections.callcenter.pbx.plugins.module_utils.trunk.callee import Callee, Expected, Verdict

EXPECTED = Expected("Admin", "new;trunk=password")
URI = "sip:proof-1@127.0.0.1:40461"


def request(method: str, cseq: int, *extra: str, uri: str = URI, to: str = "") -> bytes:
    """What Asterisk sends."""
    lines = (
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 198.51.100.1:5060;rport;branch=z9hG4bKPj{cseq}",
        'From: "Anonymous" <sip:anonymous@198.51.100.1>;tag=2f86',
        f"To: <{uri}>{to}",
        "Call-ID: 4065cb3b",
        f"CSeq: {cseq} {method}",
        *extra,
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def answer(callee: Callee, packet: bytes) -> SipMessage:
    """The reply, which there must be."""
    reply = callee.receive(packet)
    assert reply is not None
    message = parse_message(reply)
    assert message is not None
    return message


def credentials(
    challenged: SipMessage, username: str, password: str, realm: str = "", nonce: str = ""
) -> str:
    """The header that answers a challenge, or one with another realm or nonce."""
    challenge = choose_challenge(challenged.all("proxy-authenticate"))
    assert challenge is not None
    asked = Challenge(realm or challenge.realm, nonce or challenge.nonce, qop=challenge.qop)
    value = authorization(
        asked, username=username, password=password, method="INVITE", uri=URI, cnonce="47f2"
    )
    return f"Proxy-Authorization: {value}"


def test_a_call_is_challenged_looked_at_and_refused() -> None:
    callee = Callee("proof-1", EXPECTED)
    seen = [(callee.verdict, callee.finished)]
    challenged = answer(callee, request("INVITE", 1))
    assert (challenged.status, challenged.cseq) == (407, (1, "INVITE"))
    assert challenged.header("via").endswith("branch=z9hG4bKPj1")
    assert challenged.header("to").startswith(f"<{URI}>;tag=")
    assert callee.receive(request("ACK", 1)) is None
    seen.append((callee.verdict, callee.finished))
    refused = answer(callee, request("INVITE", 2, credentials(challenged, "Admin", "new;trunk=password")))
    assert (refused.status, refused.cseq) == (403, (2, "INVITE"))
    seen.append((callee.verdict, callee.finished))
    assert callee.receive(request("ACK", 2)) is None
    assert [*seen, (callee.verdict, callee.finished)] == [
        (Verdict.NOT_CALLED, False),
        (Verdict.NOT_ANSWERED, False),
        (Verdict.MATCHES, False),
        (Verdict.MATCHES, True),
    ]


JUDGED = {
    "another password": ({"password": "old"}, Verdict.OTHER_PASSWORD),
    "another user name": ({"username": "Other"}, Verdict.OTHER_USERNAME),
    "both others": ({"username": "Other", "password": "old"}, Verdict.OTHER_USERNAME),
    "another realm": ({"realm": "asterisk"}, Verdict.OTHER_REALM),
    "another nonce": ({"nonce": "replayed"}, Verdict.OTHER_REALM),
}


@pytest.mark.parametrize(("changed", "expected"), JUDGED.values(), ids=JUDGED)
def test_other_credentials_are_told_apart_and_refused_too(changed: dict[str, str], expected: Verdict) -> None:
    callee = Callee("proof-1", EXPECTED)
    challenged = answer(callee, request("INVITE", 1))
    sent = credentials(challenged, **{"username": "Admin", "password": "new;trunk=password", **changed})
    assert answer(callee, request("INVITE", 2, sent)).status == 403
    assert callee.verdict is expected
    assert callee.sent_username == changed.get("username", "" if expected is Verdict.OTHER_REALM else "Admin")


def test_of_several_credentials_those_for_our_realm_count() -> None:
    callee = Callee("proof-1", EXPECTED)
    challenged = answer(callee, request("INVITE", 1))
    other = credentials(challenged, "Admin", "new;trunk=password", realm="another")
    ours = credentials(challenged, "Admin", "new;trunk=password")
    answer(callee, request("INVITE", 2, other, ours))
    assert callee.verdict is Verdict.MATCHES


def test_the_challenge_is_in_the_realm_that_the_credentials_are_for() -> None:
    callee = Callee("proof-1", Expected("Admin", "new;trunk=password", realm="sip.example.com"))
    challenged = answer(callee, request("INVITE", 1))
    assert 'realm="sip.example.com"' in challenged.header("proxy-authenticate")
    answer(callee, request("INVITE", 2, credentials(challenged, "Admin", "new;trunk=password")))
    assert callee.verdict is Verdict.MATCHES


def test_requests_sent_again_get_the_same_answer() -> None:
    callee = Callee("proof-1", EXPECTED)
    first, again = callee.receive(request("INVITE", 1)), callee.receive(request("INVITE", 1))
    assert first == again
    second = request(
        "INVITE", 2, credentials(answer(callee, request("INVITE", 1)), "Admin", "new;trunk=password")
    )
    assert callee.receive(second) == callee.receive(second)
    answer(callee, request("INVITE", 1))
    assert callee.verdict is Verdict.MATCHES


PASSED_OVER = {
    "another call": request("INVITE", 1, uri="sip:somebody@127.0.0.1:40461"),
    "a call without a user": request("INVITE", 1, uri="sip:127.0.0.1:40461"),
    "another method": request("OPTIONS", 1),
    "an answer": b"SIP/2.0 200 OK\r\n\r\n",
    "no SIP": b"\r\n\r\n",
}


@pytest.mark.parametrize("packet", PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_is_not_the_call_is_passed_over(packet: bytes) -> None:
    callee = Callee("proof-1", EXPECTED)
    assert callee.receive(packet) is None
    assert callee.verdict is Verdict.NOT_CALLED
