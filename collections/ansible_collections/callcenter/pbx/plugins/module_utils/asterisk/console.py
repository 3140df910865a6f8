# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Asterisk's console without a process in its container: the control socket, through the container's root.

A command takes less than a millisecond, where `asterisk -rx` in a `docker exec` takes some fifteen. It is
what `asterisk -rx` does: one connection a command, which Asterisk greets with a line about itself, and closes
when the answer is complete (main/asterisk.c, `ast_remotecontrol`).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONTROL_SOCKET = "/run/asterisk/asterisk.ctl"
_LEAVE_AFTER = "cli quit after "
_VERBOSE = "\x7f"
"""What a line begins with that was not asked for."""


class NoAnswer(Exception):
    """Asterisk gave no whole answer in time; whether it ran the command is not known."""


class NobodyListens(NoAnswer):
    """Nobody took the command."""


def control_socket(container: Mapping[str, Any] | None) -> Path | None:
    """Return the control socket of a container as `docker inspect` describes it.

    :returns: None where it does not run, or its root cannot be looked into
    """
    state = (container or {}).get("State") or {}
    if not state.get("Running") or not state.get("Pid"):
        return None
    path = Path(f"/proc/{state['Pid']}/root{CONTROL_SOCKET}")
    try:
        return path if path.is_socket() else None
    except OSError:
        return None


def ask(path: Path, command: str, seconds: float) -> str:
    """Run one command and return what `asterisk -rx` prints.

    :param seconds: how long it may take
    :raises NobodyListens: it was not run
    :raises NoAnswer: it takes longer, or Asterisk ends meanwhile
    """
    deadline = time.monotonic() + seconds
    received = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(max(0.001, seconds))
        try:
            connection.connect(str(path))
        except OSError as error:
            raise NobodyListens(f"{command}: {error}") from error
        try:
            connection.sendall(f"{_LEAVE_AFTER}{command}\0".encode())
            while part := connection.recv(65536):
                received += part
                connection.settimeout(max(0.001, deadline - time.monotonic()))
        except OSError as error:
            raise NoAnswer(f"{command}: {error}") from error
    greeting, newline, answer = received.decode("utf-8", "replace").partition("\n")
    if not newline:
        raise NoAnswer(f"{command}: only {greeting!r}")
    return "".join(line for line in answer.splitlines(keepends=True) if not line.startswith(_VERBOSE))
