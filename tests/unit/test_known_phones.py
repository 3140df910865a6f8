"""`callcenter-known`: whose password was right, read from what strangers can write into."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import sqlite3
import time
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[2] / "roles/sip_firewall/files/callcenter-known"
LINE = (
    "[2026-11-26 23:14:15 +0000] SECURITY[44] res_security_log.c: "
    'SecurityEvent="SuccessfulAuth",EventTV="2026-11-26T23:14:15.234+0000",Severity="Informational",'
    'Service="PJSIP",EventVersion="1",AccountID="100",SessionID="{call_id}",'
    'LocalAddress="IPV4/UDP/172.18.0.2/5060",RemoteAddress="IPV4/{transport}/{address}/20045",UsingPassword="1"'
)


def load() -> ModuleType:
    """Import the program, which has no suffix."""
    loader = importlib.machinery.SourceFileLoader("callcenter_known", str(PROGRAM))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


known = load()


def line(call_id: str = "1-791@198.51.100.1", transport: str = "UDP", address: str = "203.0.113.9") -> bytes:
    return LINE.format(call_id=call_id, transport=transport, address=address).encode()


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_who_gave_the_right_password_is_known(transport: str) -> None:
    assert known.address_in(line(transport=transport)) == "203.0.113.9"


FORGED = (
    'x",LocalAddress="IPV4/UDP/172.18.0.2/5060",RemoteAddress="IPV4/UDP/192.0.2.66/5060",UsingPassword="1"'
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (line(call_id=FORGED), "203.0.113.9"),
        (line().replace(b"SuccessfulAuth", b"ChallengeSent"), None),
        (line().replace(b"SuccessfulAuth", b"ChallengeResponseFailed"), None),
        (b"[2026-11-26 23:14:15 +0000] NOTICE[1] x.c: " + line(), None),
        (line().replace(b'AccountID="100"', b'AccountID="<unknown>"'), None),
        (line() + b" ", None),
        (line(address="203.0.113.999"), None),
        (line(address="0.0.0.0"), None),
        (b"\xff\x00" * 4000, None),
    ],
    ids=[
        "call-id",
        "challenge",
        "failure",
        "other-line",
        "stranger",
        "more",
        "no-address",
        "zero",
        "garbage",
    ],
)
def test_what_a_stranger_writes_makes_nobody_known(text: bytes, address: str | None) -> None:
    assert known.address_in(text) == address


def database(path: Path, *contacts: object) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE astdb (key TEXT, value TEXT)")
        for number, contact in enumerate(contacts):
            text = contact if isinstance(contact, str) else json.dumps(contact)
            row = (f"/registrar/contact/10{number};@ab", text)
            connection.execute("INSERT INTO astdb VALUES (?, ?)", row)
        connection.execute("INSERT INTO astdb VALUES ('/pbx/UUID', 'sip:x@192.0.2.1')")
    return path


def contact(uri: str, seconds: int = 600) -> dict[str, str]:
    return {"uri": uri, "expiration_time": str(int(time.time()) + seconds)}


def test_registered_phones_are_known_after_a_reboot(tmp_path: Path) -> None:
    path = database(
        tmp_path / "astdb.sqlite3",
        contact("sip:100@203.0.113.1:5060"),
        contact("sip:101@203.0.113.2:40000^3Btransport=tcp"),
        contact("sip:102@203.0.113.3;ob"),
        contact("sip:103@203.0.113.4", seconds=-1),
        contact("sip:104@phone.example"),
        "no JSON",
        ["a list"],
        {"uri": 7, "expiration_time": "9999999999"},
    )
    assert known.contacts(path) == {"203.0.113.1", "203.0.113.2", "203.0.113.3"}


def test_no_file_and_a_link_have_no_phones(tmp_path: Path) -> None:
    path = database(tmp_path / "there", contact("sip:100@203.0.113.1"))
    (tmp_path / "link").symlink_to(path)
    assert known.contacts(tmp_path / "missing") == known.contacts(tmp_path / "link") == set()


class TestLog:
    """A log that another program writes."""

    def test_lines_come_once_and_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "security"
        path.write_bytes(b"old\n")
        log = known.Log(path)
        assert list(log.lines()) == []
        with path.open("ab") as stream:
            stream.write(b"one\ntw")
            stream.flush()
            assert list(log.lines()) == [b"one"]
            stream.write(b"o\n")
            stream.flush()
            assert list(log.lines()) == [b"two"]
        assert list(log.lines()) == []

    def test_a_replaced_log_is_read_to_its_end_and_then_the_new_one(self, tmp_path: Path) -> None:
        path = tmp_path / "security"
        path.write_bytes(b"")
        log = known.Log(path)
        with path.open("ab") as stream:
            path.rename(tmp_path / "security.1")
            stream.write(b"last\n")
        path.write_bytes(b"first\n")
        assert list(log.lines()) == [b"last", b"first"]

    def test_a_log_that_was_cut_begins_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "security"
        path.write_bytes(b"a long line of before\n")
        log = known.Log(path)
        path.write_bytes(b"new\n")
        assert list(log.lines()) == [b"new"]

    def test_a_log_that_comes_later_is_read(self, tmp_path: Path) -> None:
        log = known.Log(tmp_path / "security")
        assert list(log.lines()) == []
        (tmp_path / "security").write_bytes(b"one\n")
        assert list(log.lines()) == [b"one"]

    def test_neither_a_link_nor_a_pipe_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"secret\n")
        (tmp_path / "link").symlink_to(tmp_path / "secret")
        os.mkfifo(tmp_path / "pipe")
        for name in ("link", "pipe"):
            log = known.Log(tmp_path / name)
            assert list(log.lines()) == []
