# Copyright (c) The callcenter maintainers
# SPDX-License-Identifier: MIT
"""Make a running Asterisk call, over one of its trunks, a socket that stands beside it in its container.

The carrier is not touched: the call goes to 127.0.0.1 of the container's own network namespace.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import (
    AsteriskCli,
    AsteriskSilent,
    parse_parameters,
    running_container,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import LONGEST_ANSWER_BYTES
from ansible_collections.callcenter.pbx.plugins.module_utils.trunk.callee import (
    Callee,
    Expected,
    Verdict,
)

_LOOPBACK = "127.0.0.1"
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_ORIGINATE = "channel originate"
_CALLS = 2
_ANY_REALM = ("", "*")


class TrunkCallError(Exception):
    """No trial call could be made; the text says why, and what to do."""


def prove(
    engine: DockerEngine, container: str, trunk: str, expected: Expected, answer_seconds: float
) -> Callee:
    """Make the trial call and return the far end of it with its verdict.

    :param answer_seconds: how long Asterisk may take from the command to the last message.
    :raises TrunkCallError: there is nothing to call with.
    :raises DockerError: the engine did not do its part.
    """
    if not running_container(engine, container):
        raise TrunkCallError(f"The container {container} does not run. Start it: `docker compose up -d`.")
    cli = AsteriskCli(engine, container)
    endpoint, usage = cli.run([f"pjsip show endpoint {safe_name(trunk)}", f"core show help {_ORIGINATE}"])
    auth = check_callable(trunk, endpoint, usage)
    # Credentials that are for the carrier's realm are silent in any other.
    realm = dict(parse_parameters(cli.run([f"pjsip show auth {safe_name(auth)}"])[0])).get("realm", "")
    if realm not in _ANY_REALM:
        expected = replace(expected, realm=realm)
    process = (engine.container(container) or {}).get("State", {}).get("Pid", 0)
    callee = Callee(f"proof-{secrets.token_hex(8)}", expected)
    with socket_in_network_of(process) as sock:
        target = f"{callee.user}@{_LOOPBACK}:{sock.getsockname()[1]}"
        # The application is for the case that somebody answers, which the far end never does.
        command = f"{_ORIGINATE} PJSIP/{trunk}/sip:{target} application Hangup"
        for _attempt in range(_CALLS):
            was_heard = _tell(cli, command, answer_seconds + 10)
            converse(sock, callee, answer_seconds)
            if was_heard or callee.finished:
                break
    return callee


def _tell(cli: AsteriskCli, command: str, seconds: float) -> bool:
    """Give a command, and tell whether it was certainly heard; where that was lost, the call shows it."""
    try:
        cli.run([command], timeout=seconds, attempts=1)
    except AsteriskSilent:
        return False
    return True


def safe_name(trunk: str) -> str:
    """The name, which becomes part of a console command.

    :raises TrunkCallError: it would be read as more than a name.
    """
    if not _NAME.fullmatch(trunk):
        raise TrunkCallError(f"{trunk!r} is no name of a trunk: letters, digits, '-', '_' and '.' only.")
    return trunk


def check_callable(trunk: str, endpoint: str, usage: str) -> str:
    """Judge the answers of `pjsip show endpoint` and of the help on `channel originate`.

    :returns: the name of the auth object with the credentials
    :raises TrunkCallError: a call over this trunk could not show its credentials here.
    """
    parameters = dict(parse_parameters(endpoint))
    if not parameters:
        raise TrunkCallError(
            f"Asterisk knows no trunk {trunk}. `asterisk -rx 'pjsip list endpoints'` lists those it knows."
        )
    auth = parameters.get("outbound_auth", "").partition(",")[0]
    if not auth:
        raise TrunkCallError(
            f"The trunk {trunk} sends no credentials: its endpoint has no outbound_auth. "
            "Give the trunk a user name in the model, or do not ask for a proof of it."
        )
    if proxy := parameters.get("outbound_proxy"):
        raise TrunkCallError(
            f"The trunk {trunk} sends its calls through {proxy} (outbound_proxy), so a trial call would "
            "leave this server. Prove its credentials by a call."
        )
    if f"{_ORIGINATE} <tech/data>" not in usage:
        raise TrunkCallError(
            "This Asterisk cannot place a call from its console: res_clioriginate.so is not loaded. "
            "Deploy the present configuration and image first (site.yml)."
        )
    return auth


def converse(sock: socket.socket, callee: Callee, seconds: float) -> None:
    """Let the far end talk until it has finished, or for so long."""
    deadline = time.monotonic() + seconds
    while not callee.finished and (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            packet, source = sock.recvfrom(LONGEST_ANSWER_BYTES)
        except TimeoutError:
            return
        if reply := callee.receive(packet):
            sock.sendto(reply, source)


def socket_in_network_of(process: int) -> socket.socket:
    """A UDP socket on a free port of 127.0.0.1 as ``process`` sees it. Needs root.

    A network namespace belongs to a thread, and a socket to the namespace it was made in: so a thread that
    ends at once makes it, and nothing else ever leaves its own.

    :raises TrunkCallError: the process is gone, or the namespace may not be entered.
    """
    made: list[socket.socket] = []
    errors: list[OSError] = []

    def make() -> None:
        try:
            with Path(f"/proc/{process}/ns/net").open("rb") as namespace:
                _enter(namespace.fileno())
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.append(sock)
            sock.bind((_LOOPBACK, 0))
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if errors:
        for sock in made:
            sock.close()
        raise TrunkCallError(f"The container's network cannot be entered ({errors[0]}). This needs root.")
    return made[0]


def _enter(namespace: int) -> None:
    if sys.version_info < (3, 12):
        raise OSError("Python 3.12 or newer is needed on the server")
    os.setns(namespace, os.CLONE_NEWNET)


def sentence(trunk: str, callee: Callee, seconds: float) -> str:
    """What the trial call showed, in words without the password."""
    username, realm = callee.expected.username, callee.expected.realm
    return {
        Verdict.MATCHES: f"Asterisk answers a carrier's challenge on {trunk} as {username}, "
        "with this password.",
        Verdict.OTHER_PASSWORD: f"Asterisk answers a carrier's challenge on {trunk} as {username}, but with "
        "another password. Is the new configuration loaded?",
        Verdict.OTHER_USERNAME: f"Asterisk answers a carrier's challenge on {trunk} as "
        f"{callee.sent_username!r} instead of {username!r}.",
        Verdict.OTHER_REALM: f"Asterisk's answer on {trunk} is for another realm than {realm!r}, "
        "which asked.",
        Verdict.NOT_CALLED: f"No call came over {trunk} within {seconds:g} s. Is the endpoint in "
        "maintenance, or are all media ports taken? See /var/log/asterisk/messages.",
        Verdict.NOT_ANSWERED: f"Asterisk did not answer a carrier's challenge on {trunk} within "
        f"{seconds:g} s. Is its auth object there, and meant for the realm {realm!r}?",
    }[callee.verdict]
