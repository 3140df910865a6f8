# Copyright (c) The callcenter maintainers
# SPDX-License-Identifier: MIT
"""The far end of a trial call: challenges it as a carrier does, looks at the credentials, and refuses it.

Knows no socket: gives the replies to each packet, and the verdict once there is one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from enum import Enum

from ansible_collections.callcenter.pbx.plugins.module_utils.sip.digest import (
    Challenge,
    answers,
    parse_parameters,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import (
    SipMessage,
    encode_message,
    parse_message,
)

SOME_REALM = "sip.carrier.invalid"
"""In which credentials are challenged that are for any realm."""

_CHALLENGED = "407 Proxy Authentication Required"
_REFUSED = "403 Forbidden"
_COPIED = (("via", "Via"), ("from", "From"), ("call-id", "Call-ID"), ("cseq", "CSeq"))


class Verdict(Enum):
    """What the trial call showed."""

    MATCHES = "matches"
    OTHER_PASSWORD = "other_password"
    OTHER_USERNAME = "other_username"
    OTHER_REALM = "other_realm"
    NOT_CALLED = "not_called"
    NOT_ANSWERED = "not_answered"


@dataclass(frozen=True)
class Expected:
    """The credentials the PBX is to send, to a carrier that challenges in this realm."""

    username: str
    password: str = field(repr=False)
    realm: str = SOME_REALM


class Callee:
    """One trial call, from its INVITE to its refusal. ``user`` is what the call must be made to."""

    def __init__(self, user: str, expected: Expected) -> None:
        self.user = user
        self.expected = expected
        self.verdict = Verdict.NOT_CALLED
        self.sent_username = ""
        self.finished = False
        self._challenge = Challenge(expected.realm, secrets.token_hex(16), qop="auth")
        self._tag = secrets.token_hex(8)
        self._call_id = ""
        self._judged_cseq = 0

    def receive(self, packet: bytes) -> bytes | None:
        """Take a packet and return the reply to it, if it needs one."""
        message = parse_message(packet)
        if message is None or _user_of(message.uri) != self.user:
            return None
        if message.method == "ACK":
            # The refusal is acknowledged: nothing more will come.
            judged = self._judged_cseq and message.cseq[0] == self._judged_cseq
            self.finished = self.finished or bool(judged and message.header("call-id") == self._call_id)
            return None
        if message.method != "INVITE":
            return None
        return self._answer_call(message)

    def _answer_call(self, invite: SipMessage) -> bytes:
        credentials = [
            value for value in invite.all("proxy-authorization") if value.lower().startswith("digest")
        ]
        if not credentials:
            if self.verdict is Verdict.NOT_CALLED:
                self.verdict = Verdict.NOT_ANSWERED
            return self._reply(_CHALLENGED, invite, [("Proxy-Authenticate", self._challenge.encode())])
        self.verdict = self._judge(credentials)
        self._call_id, self._judged_cseq = invite.header("call-id"), invite.cseq[0]
        return self._reply(_REFUSED, invite)

    def _judge(self, credentials: list[str]) -> Verdict:
        """Compare what was sent for our realm with what was expected."""
        for value in credentials:
            given = parse_parameters(value)
            if given.get("realm") != self._challenge.realm or given.get("nonce") != self._challenge.nonce:
                continue
            self.sent_username = given.get("username", "")
            if self.sent_username != self.expected.username:
                return Verdict.OTHER_USERNAME
            right = answers(
                value,
                self._challenge,
                username=self.expected.username,
                password=self.expected.password,
                method="INVITE",
            )
            return Verdict.MATCHES if right else Verdict.OTHER_PASSWORD
        return Verdict.OTHER_REALM

    def _reply(self, status: str, request: SipMessage, extra: list[tuple[str, str]] | None = None) -> bytes:
        headers = [(name, value) for key, name in _COPIED for value in request.all(key)]
        headers.append(("To", f"{request.header('to')};tag={self._tag}"))
        return encode_message(f"SIP/2.0 {status}", headers + (extra or []))


def _user_of(uri: str) -> str:
    match = re.match(r"sips?:([^@;>]+)@", uri)
    return match[1] if match else ""
