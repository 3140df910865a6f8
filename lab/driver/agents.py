"""The parties of a lab call: phones that register, POPs of a carrier, and an attacker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.driver.machine import DriverError, Machine
from lab.driver.messages import SipMessage, digest_is_right
from lab.driver.sipp import (
    ULAW,
    Codec,
    Sipp,
    SippResult,
    audio_file,
    free_sip_port,
    media_ports,
    render,
    start_sipp,
)

FOREVER_MS = 3_600_000
"""Longer than any test: the other side ends it."""
LEAD_MS = 300
"""Between the ACK and the first RTP packet: both legs are bridged by then."""


@dataclass(frozen=True)
class Pbx:
    """Where the phones and the carrier reach the PBX."""

    address: str
    sip_port: int

    @property
    def target(self) -> str:
        return f"{self.address}:{self.sip_port}"


@dataclass(frozen=True)
class Answer:
    """Take calls: ring, answer, echo the audio.

    Attributes:
        ring_ms: milliseconds until the answer; FOREVER_MS never answers (and obeys a CANCEL).
        hold_ms: milliseconds from the answer until this side hangs up; FOREVER_MS leaves it to the other.
        codec: what the answer accepts.
    """

    ring_ms: int = 100
    hold_ms: int = FOREVER_MS
    codec: Codec = ULAW


@dataclass(frozen=True)
class Refuse:
    """Refuse calls with this status line (code and reason)."""

    status: str = "486 Busy Here"


NEVER_ANSWER = Answer(ring_ms=FOREVER_MS)


@dataclass(frozen=True)
class Challenge:
    """The digest challenge of the carrier, and the credentials it takes."""

    username: str
    password: str
    realm: str = "sip.carrier.lab"
    nonce: str = "d1ce5b0c7a2f4e93"
    opaque: str = "0badcafe0badcafe"

    def scenario_part(self) -> str:
        """The part of the answering scenario that sends this challenge."""
        return render("challenge.part.xml", {"realm": self.realm, "nonce": self.nonce, "opaque": self.opaque})

    def is_answered_by(self, invite: SipMessage) -> bool:
        """Whether that INVITE carries the right digest for this challenge and these credentials."""
        return digest_is_right(invite, self.username, self.password, realm=self.realm, nonce=self.nonce)


@dataclass(frozen=True)
class Talk:
    """What the caller does once the call is answered.

    Attributes:
        seconds: of audio it sends; 0 for none at all.
        hang_up: True: it hangs up after the audio; False: it waits for the other side to do so.
        codec: what it offers.
        media_host: address that its SDP names; a phone behind a router names one that nobody else reaches.
        key: of the dial pad, which it presses in the call, told by SIP INFO; '' for none.
    """

    seconds: int = 2
    hang_up: bool = True
    codec: Codec = ULAW
    media_host: str = "[local_ip]"
    key: str = ""

    @property
    def hold_ms(self) -> int:
        return self.seconds * 1000 + 300 if self.hang_up else FOREVER_MS


@dataclass(frozen=True)
class CallResult:
    """How a call ended for the caller.

    Attributes:
        status: the final status of the INVITE; 0 if none came.
        call_id: of the caller's leg.
        messages: of the caller's leg, in order.
        sipp: the process's own result.
    """

    status: int
    call_id: str
    messages: tuple[SipMessage, ...]
    sipp: SippResult


class OngoingCall:
    """Calls (one or many of the same kind) that were placed and not yet waited for."""

    def __init__(self, sipp: Sipp) -> None:
        self._sipp = sipp
        self._over = False

    def wait(self, timeout: float = 90) -> CallResult:
        """Wait until the call is over. See ``wait_all`` for the errors."""
        return self.wait_all(timeout)[0]

    def wait_all(self, timeout: float = 90) -> list[CallResult]:
        """Wait until all calls are over.

        Raises:
            DriverError: that takes longer than ``timeout`` seconds, or SIPp could not place any.
        """
        result = self._sipp.wait(timeout)
        self._over = True
        if not result.call_ids:
            raise DriverError(f"no call was placed: {result.errors or self._sipp.process.output}")
        return [
            CallResult(
                result.final_status(call_id),
                call_id,
                tuple(item for item in result.messages if item.call_id == call_id),
                result,
            )
            for call_id in result.call_ids
        ]

    def stop(self) -> None:
        """Break off, without a BYE, if it was not waited for."""
        if not self._over:
            self._sipp.process.stop()


class Party:
    """A SIP speaker on a lab host: takes calls on ``sip_port`` as told by ``listen``, and places calls.

    Several parties may share a host if their ports differ.
    """

    def __init__(self, machine: Machine, pbx: Pbx, *, sip_port: int = 5060, media_port: int = 6000) -> None:
        self.machine = machine
        self.pbx = pbx
        self.sip_port = sip_port
        self.media_port = media_port
        self._listener: Sipp | None = None
        self._calls: list[OngoingCall] = []

    def listen(self, behaviour: Answer | Refuse, challenge: Challenge | None = None) -> None:
        """From now on, treat incoming calls like this; calls in progress on the old behaviour are dropped."""
        self.silence()
        values: dict[str, object]
        options: tuple[str, ...]
        if isinstance(behaviour, Refuse):
            scenario, values, options = "refuse.xml", {"status": behaviour.status}, ()
        else:
            scenario = "answer.xml"
            values = {
                "challenge": challenge.scenario_part() if challenge else "",
                "ring_ms": behaviour.ring_ms,
                "hold_ms": behaviour.hold_ms,
                "payload_type": behaviour.codec.payload_type,
                "encoding": behaviour.codec.encoding,
            }
            options = ("-rtp_echo", "-mp", str(self.media_port))
        self._listener = start_sipp(
            self.machine, scenario, values, sip_port=self.sip_port, options=("-aa", *options)
        )
        self.machine.wait_for_udp_port(self.sip_port)

    def silence(self) -> SippResult | None:
        """Stop listening, as if switched off: nothing is answered any more. None if it did not listen."""
        listener, self._listener = self._listener, None
        return listener.stop() if listener else None

    @contextmanager
    def listening(self, behaviour: Answer | Refuse, challenge: Challenge | None = None) -> Iterator[None]:
        """``listen`` for the time of a with block, then be silent."""
        self.listen(behaviour, challenge)
        try:
            yield
        finally:
            self.silence()

    def close(self) -> None:
        """End everything this party still runs."""
        self.silence()
        for call in self._calls:
            call.stop()
        self._calls.clear()

    def _audio(self, talk: Talk) -> dict[str, object]:
        return {
            "lead_ms": LEAD_MS,
            "audio_file": audio_file(self.machine, talk.codec),
            "audio_loops": talk.seconds,
            "payload_type": talk.codec.payload_type,
            "encoding": talk.codec.encoding,
        }

    def _place(
        self,
        dialled: str,
        talk: Talk,
        *,
        caller: str,
        credentials: tuple[str, str] | None,
        calls: int,
        from_host: str,
        parameters: str = "",
    ) -> OngoingCall:
        username, password = credentials or ("none", "none")
        values = {
            "uri": f"sip:{dialled}@{self.pbx.target}{parameters}",
            "caller": caller,
            "caller_name": f"Lab {caller}",
            "from_host": from_host,
            "username": username,
            "password": password,
            "when_challenged": "authenticate" if credentials else "refused",
            "payload_type": talk.codec.payload_type,
            "encoding": talk.codec.encoding,
            "hold_ms": talk.hold_ms,
            "media_host": talk.media_host,
            "audio": render("audio.part.xml", self._audio(talk)) if talk.seconds else "",
            "while_talking": render("info.part.xml", {"key": talk.key}) if talk.key else "",
        }
        limits = (
            "-m",
            str(calls),
            "-l",
            str(calls),
            "-r",
            "20",
            "-recv_timeout",
            "60000",
            "-auth_uri",
            f"{dialled}@{self.pbx.target}",
        )
        call = OngoingCall(
            start_sipp(
                self.machine,
                "call.xml",
                values,
                sip_port=free_sip_port(),
                remote=self.pbx.target,
                options=(*limits, *media_ports(calls)),
            )
        )
        self._calls.append(call)
        return call


class Phone(Party):
    """A softphone of one extension."""

    def __init__(
        self,
        machine: Machine,
        pbx: Pbx,
        number: str,
        password: str,
        *,
        sip_port: int = 5060,
        media_port: int = 6000,
    ) -> None:
        super().__init__(machine, pbx, sip_port=sip_port, media_port=media_port)
        self.number = number
        self.password = password

    def register(
        self,
        *,
        number: str | None = None,
        password: str | None = None,
        expires: int = 3600,
        contact_user: str | None = None,
    ) -> int:
        """Register and return the registrar's final status (200, or why not).

        Not while this phone listens: both need its port, and the contact must be the port it listens on.

        Args:
            number: register as someone else.
            password: with another password.
            expires: seconds; 0 unregisters.
            contact_user: write this into the user part of the Contact instead of the number.

        Raises:
            DriverError: the registrar did not answer.
        """
        values = {
            "number": number or self.number,
            "password": password or self.password,
            "expires": expires,
            "contact_user": contact_user or number or self.number,
        }
        result = start_sipp(
            self.machine,
            "register.xml",
            values,
            sip_port=self.sip_port,
            remote=self.pbx.target,
            options=("-m", "1", "-recv_timeout", "20000"),
        ).wait()
        status = result.final_status()
        if not status:
            raise DriverError(f"{self.machine.name}: no answer to REGISTER {self.number}: {result.errors}")
        return status

    def subscribe(self) -> int:
        """Subscribe to the state of a mailbox, answer the NOTIFY, and return the final status."""
        values = {"number": self.number, "password": self.password, "expires": 60}
        return (
            start_sipp(
                self.machine,
                "subscribe.xml",
                values,
                sip_port=free_sip_port(),
                remote=self.pbx.target,
                options=("-m", "1", "-recv_timeout", "20000"),
            )
            .wait(60)
            .final_status()
        )

    def switch_on(self, behaviour: Answer | Refuse = Answer()) -> None:
        """Register afresh, listen, and wait until the PBX has seen that the phone answers.

        Raises:
            DriverError: the registration was refused.
        """
        self.silence()
        self.register(expires=0)
        status = self.register()
        if status != 200:
            raise DriverError(f"{self.number} cannot register: {status}")
        self.listen(behaviour)
        # The PBX asks a new contact at once whether it answers (OPTIONS), again 500 and 1500 ms later: it may
        # have asked before we listened. Until it has its answer it does not ring the phone.
        deadline = time.monotonic() + 3
        while not self.was_asked() and time.monotonic() < deadline:
            time.sleep(0.05)

    def was_asked(self) -> bool:
        """Whether the PBX has sent an OPTIONS since this phone listens."""
        return self._listener is not None and any(
            item.method == "OPTIONS" for item in self._listener.messages()
        )

    def call(
        self,
        dialled: str,
        talk: Talk = Talk(),
        *,
        calls: int = 1,
        caller: str = "",
        from_host: str = "[remote_ip]",
    ) -> OngoingCall:
        """Dial: an INVITE that answers the digest challenge with this phone's credentials.

        Args:
            dialled: the user part of the Request-URI, exactly as it goes on the wire.
            talk: what happens after the answer.
            calls: place so many at once.
            caller: user part of the From; its own number if empty.
            from_host: host part of the From.
        """
        return self._place(
            dialled,
            talk,
            caller=caller or self.number,
            credentials=(self.number, self.password),
            calls=calls,
            from_host=from_host,
        )


class Pop(Party):
    """A point of presence of a carrier: known by its address alone, sends and takes calls."""

    def call(
        self, dialled: str, talk: Talk = Talk(), *, caller: str, calls: int = 1, parameters: str = ""
    ) -> OngoingCall:
        """Deliver a call from the outside world, without credentials.

        Args:
            dialled: the number called, as the carrier writes it.
            talk: what happens after the answer.
            caller: the caller's number.
            calls: deliver so many at once.
            parameters: what its origination URI for the PBX has behind the host, as ``;token=...``.
        """
        return self._place(
            dialled,
            talk,
            caller=caller,
            credentials=None,
            calls=calls,
            from_host="[local_ip]",
            parameters=parameters,
        )
