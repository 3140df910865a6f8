"""Digest exchanges with a registrar that answers as Asterisk does, over a network that loses packets."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip import options as sip
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip import register
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.register import (
    Answer,
    Credential,
    Outcome,
    try_credentials,
)

from tests.unit.registrar import Registrar, header, running

ACCEPTED = Answer(Outcome.ACCEPTED, "200 OK")
REFUSED = Answer(Outcome.REFUSED, "401 Unauthorized")
MANY = {str(number): [f"new-{number}"] for number in range(1000, 1300)}


def ask(
    registrar: Registrar, *credentials: tuple[str, str], seconds: float = 3, window: int = 50
) -> list[Answer]:
    """Try credentials with a registrar while it runs."""
    with running(registrar):
        wanted = [Credential(*credential) for credential in credentials]
        return try_credentials("127.0.0.1", registrar.port, wanted, seconds, window)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_answers_come_in_the_order_of_the_questions(algorithm: str) -> None:
    registrar = Registrar({"100": ["new"], "101": ["new", "old"]}, algorithm=algorithm)
    answers = ask(
        registrar, ("100", "new"), ("100", "old"), ("101", "old"), ("101", "new"), ("nobody", "new")
    )
    assert answers == [ACCEPTED, REFUSED, ACCEPTED, ACCEPTED, REFUSED]


def test_no_request_could_change_a_registration() -> None:
    registrar = Registrar({"100": ["new"]})
    ask(registrar, ("100", "new"), ("100", "old"))
    assert len(registrar.requests) == 4
    for request in registrar.requests:
        assert request.startswith(f"REGISTER sip:127.0.0.1:{registrar.port} SIP/2.0\r\n")
        assert not re.search(r"^(contact|m|expires)\s*:", request, re.M | re.I)
        assert header(request, "From").startswith(f"<sip:100@127.0.0.1:{registrar.port}>;tag=")
    assert len({header(request, "Call-ID") for request in registrar.requests}) == 2
    assert len({header(request, "Via") for request in registrar.requests}) == 4


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        pytest.param("403 Forbidden", Answer(Outcome.REFUSED, "403 Forbidden"), id="403 refuses too"),
        pytest.param("503 Overload", Answer(Outcome.OTHER, "503 Overload"), id="503 is no refusal"),
    ],
)
def test_what_follows_a_wrong_password(refusal: str, expected: Answer) -> None:
    assert ask(Registrar({"100": ["new"]}, refusal=refusal), ("100", "old")) == [expected]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param("200 OK", Answer(Outcome.UNCHALLENGED, "200 OK"), id="accepted unasked"),
        pytest.param("403 Forbidden", Answer(Outcome.OTHER, "403 Forbidden"), id="refused unasked"),
        pytest.param("404 Not Found", Answer(Outcome.OTHER, "404 Not Found"), id="unknown"),
        pytest.param(
            "401 Unauthorized",
            Answer(Outcome.OTHER, "401 Unauthorized without a challenge that can be answered"),
            id="no challenge",
        ),
    ],
)
def test_what_comes_before_any_password_proves_nothing(status: str, expected: Answer) -> None:
    assert ask(Registrar({}, instead={"100": status}), ("100", "new")) == [expected]


def test_a_provisional_answer_is_waited_out() -> None:
    registrar = Registrar({}, instead={"100": "100 Trying"})
    assert ask(registrar, ("100", "new"), ("101", "x"), seconds=0.4)[0].outcome is Outcome.SILENT


def test_a_nonce_that_grew_too_old_is_no_refusal() -> None:
    answers = ask(Registrar({"100": ["new"]}, stale=2), ("100", "new"), ("100", "old"))
    assert answers == [ACCEPTED, REFUSED]


def test_nonces_that_are_always_too_old_end() -> None:
    assert ask(Registrar({"100": ["new"]}, stale=99), ("100", "new")) == [
        Answer(Outcome.OTHER, "401 Unauthorized, every nonce too old at once")
    ]


def test_lost_packets_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of all datagrams is lost; retransmissions and late duplicates confuse nothing."""
    monkeypatch.setattr(register, "FIRST_RESEND_SECONDS", 0.02)
    monkeypatch.setattr(register, "LONGEST_RESEND_SECONDS", 0.1)
    chance = random.Random(22)
    registrar = Registrar(MANY, lose=lambda number: chance.random() < 0.25)
    numbers = list(MANY)[:40]
    answers = ask(
        registrar,
        *((number, f"new-{number}") for number in numbers),
        *((number, "old") for number in numbers),
        seconds=30,
    )
    assert answers == [ACCEPTED] * 40 + [REFUSED] * 40


def test_only_a_window_of_exchanges_is_in_flight() -> None:
    registrar = Registrar(MANY, batch=0.05)
    credentials = [(number, f"new-{number}") for number in list(MANY)[:10]]
    assert ask(registrar, *credentials, window=4) == [ACCEPTED] * 10
    assert registrar.most_at_once == 4


def test_a_single_silence_is_told_from_a_dead_server() -> None:
    mute = Registrar({"100": ["new"]}, instead={"101": "100 Trying"})
    answers = ask(mute, ("101", "new"), ("100", "new"), seconds=0.3)
    assert answers == [Answer(Outcome.SILENT, "no answer within 0.3 s"), ACCEPTED]


def test_a_server_that_dies_is_waited_for_once() -> None:
    """Otherwise every window would wait its own time."""
    registrar = Registrar(MANY, lose=lambda number: number > 100)
    started = time.monotonic()
    answers = ask(registrar, *((number, f"new-{number}") for number in MANY), seconds=0.3, window=10)
    assert time.monotonic() - started < 2
    assert answers[0] == ACCEPTED
    assert answers[-1] == Answer(Outcome.SILENT, "no answer within 0.3 s")


def test_silence_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        expected = rf"^REGISTER sip:127.0.0.1:{port} over UDP: no answer within 0.2 s$"
        with pytest.raises(sip.SipNoAnswer, match=expected):
            try_credentials("127.0.0.1", port, [Credential(number, "x") for number in MANY], 0.2)


def test_a_closed_port_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(sip.SipUnreachable, match="connection refused, nothing listens there"):
        try_credentials("127.0.0.1", port, [Credential("100", "x")], 0.2)


def test_a_server_that_is_back_in_time_is_heard() -> None:
    """Its port was closed when the first request came."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    registrar = Registrar({"100": ["new"]}, port=port)
    stop = threading.Event()

    def later() -> None:
        time.sleep(0.2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", port))
            registrar.serve(server, stop)

    thread = threading.Thread(target=later)
    thread.start()
    try:
        assert try_credentials("127.0.0.1", port, [Credential("100", "new")], 3) == [ACCEPTED]
    finally:
        stop.set()
        thread.join(5)


def test_a_full_buffer_is_a_lost_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets to an address that nobody answers for yet pile up in the kernel, until it takes no more."""

    class Full(socket.socket):
        refusals = 0

        def send(self, *arguments: Any) -> int:
            self.refusals += 1
            if self.refusals < 3:
                raise BlockingIOError
            return super().send(*arguments)

    def connect(host: str, port: int, transport: str, timeout: float) -> socket.socket:
        sock = Full(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((host, port))
        return sock

    monkeypatch.setattr(register, "connect", connect)
    monkeypatch.setattr(register, "FIRST_RESEND_SECONDS", 0.02)
    assert ask(Registrar({"100": ["new"]}), ("100", "new")) == [ACCEPTED]


def test_nobody_to_ask_about_needs_no_server() -> None:
    assert try_credentials("127.0.0.1", 9, [], 0.1) == []


@pytest.mark.parametrize("user", ["", "a b", "1>\r\nContact: *", "a@b", "ä"])
def test_what_cannot_be_a_user_is_refused(user: str) -> None:
    with pytest.raises(ValueError, match="cannot be the user part"):
        try_credentials("127.0.0.1", 9, [Credential(user, "x")], 0.1)


def test_a_password_is_in_no_representation() -> None:
    assert "hidden" not in repr(Credential("100", "hidden"))
