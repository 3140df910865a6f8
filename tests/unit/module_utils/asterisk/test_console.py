"""Asterisk's control socket, with a server that behaves as Asterisk 22.10.1 was seen to."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import console as asterisk_console
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import AsteriskCli, AsteriskSilent
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
    DockerEngine,
    DockerTimeout,
    ExecResult,
)

GREETING = b"7b6d7236d05e/7/22.10.1\n"
ANSWERS = {
    "core show channels count": b"0 active channels\n0 active calls\n",
    "pjsip list auths": b"\x7f\x03    -- Remote UNIX connection\nNo objects found.\n\n",
    "long": b"line\n" * 50_000,
}


class Asterisk:
    """A console: greets, takes one command, answers, closes. It is silent to `hang`, and ends at `die`."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            connection.sendall(GREETING)
            received = b""
            while not received.endswith(b"\0"):
                received += connection.recv(4096)
            command = received.removeprefix(b"cli quit after ").rstrip(b"\0").decode()
            self.asked.append(command)
            if command == "hang":
                self._open.append(connection)
                continue
            if command == "die":
                self.close()
            connection.sendall(ANSWERS.get(command, b"No such command\n"))
            connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Engine(DockerEngine):
    """An engine whose one container is this process; what is run in it is written down."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.pid = pid
        self.ran: list[list[str]] = []

    def container(self, name: str) -> dict[str, Any] | None:
        return {"State": {"Running": self.pid > 0, "Pid": self.pid}}

    def exec(self, container: str, argv: Any, *, user: str = "", timeout: float | None = None) -> ExecResult:
        self.ran.append(list(argv[4:]))
        return ExecResult(0, "".join(f"\x1eran {command}" for command in argv[4:]), "")


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Short: a socket's path has 107 characters at most.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "asterisk.ctl"
        monkeypatch.setattr(asterisk_console, "CONTROL_SOCKET", str(path))
        yield path


@pytest.fixture
def asterisk(path: Path) -> Iterator[Asterisk]:
    one = Asterisk(path)
    yield one
    one.close()


def test_commands_are_answered_in_order_without_what_nobody_asked_for(asterisk: Asterisk) -> None:
    engine = Engine(os.getpid())
    answers = AsteriskCli(engine, "pbx").run(["pjsip list auths", "core show channels count", "long"])
    assert answers == [
        "No objects found.\n\n",
        "0 active channels\n0 active calls\n",
        ANSWERS["long"].decode(),
    ]
    assert engine.ran == []


def test_a_console_that_gives_no_answer_is_left_in_time(asterisk: Asterisk) -> None:
    begun = time.monotonic()
    with pytest.raises(DockerTimeout, match="takes too long"):
        AsteriskCli(Engine(os.getpid()), "pbx").run(["core show channels count", "hang"], timeout=0.3)
    assert time.monotonic() - begun < 5
    assert asterisk.asked == ["core show channels count", "hang"]


def test_an_asterisk_that_ends_meanwhile_is_not_asked_again(asterisk: Asterisk) -> None:
    engine = Engine(os.getpid())
    with pytest.raises(AsteriskSilent, match="answered 1 of 2 commands"):
        AsteriskCli(engine, "pbx").run(["die", "core show channels count"])
    assert engine.ran == []


@pytest.mark.parametrize("pid", [os.getpid(), 0], ids=["nobody listens", "no process"])
def test_without_a_socket_the_commands_are_run_in_the_container(path: Path, pid: int) -> None:
    if pid:
        with socket.socket(socket.AF_UNIX) as once:
            once.bind(str(path))
    engine = Engine(pid)
    assert AsteriskCli(engine, "pbx").run(["a", "b"]) == ["ran a", "ran b"]
    assert engine.ran == [["a", "b"]]
