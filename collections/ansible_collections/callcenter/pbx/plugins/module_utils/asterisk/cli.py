"""Asterisk's command line, spoken to inside a container, and the reading of its answers.

It goes over Asterisk's control socket. Where the host cannot reach that, several commands go through one
``docker exec``: starting the remote console takes 30 ms, starting an exec ten times that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import console as asterisk_console
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
    DockerEngine,
    DockerError,
    DockerTimeout,
)

# Kinds of PJSIP object as `pjsip list` names them, and the word that starts each of its lines.
PJSIP_KINDS = {
    "endpoint": ("endpoints", "Endpoint"),
    "auth": ("auths", "Auth"),
    "aor": ("aors", "Aor"),
    "identify": ("identifies", "Identify"),
    "transport": ("transports", "Transport"),
}

_RECORD = "\x1e"
_RUN_ALL = 'for command in "$@"; do printf "\\036"; asterisk -rx "$command" 2>/dev/null; done'
_AWAIT_BOOT = (
    'until asterisk -rx "core waitfullybooted" 2>/dev/null | grep -q "fully booted"; do sleep 0.1; done'
)
_PAUSE_SECONDS = 0.2
_HEALTHCHECK = "/usr/local/bin/sip-healthcheck"

_PARAMETER = re.compile(r"^ (?P<key>\S+)\s+:(?P<value>.*)$")
_CHANNELS = re.compile(r"^(\d+) active channels?$", re.MULTILINE)
_CONTEXT = re.compile(r"^\[ Context '(?P<name>[^']+)' created by 'pbx_config' \]$", re.MULTILINE)
_UDP_TRANSPORT = re.compile(r"^Transport:\s+\S+\s+udp\s.*:(?P<port>\d+)\s*$", re.MULTILINE)


class AsteriskSilent(Exception):
    """Asterisk did not answer as it should within its time."""


@dataclass(frozen=True)
class Drained:
    """How a drain ended: channels left (0: none) and seconds it took."""

    channels: int
    seconds: int


class AsteriskCli:
    """The console of the Asterisk that runs in one container."""

    def __init__(self, engine: DockerEngine, container: str) -> None:
        self.engine = engine
        self.container = container

    def run(self, commands: Sequence[str], timeout: float = 60.0, attempts: int = 3) -> list[str]:
        """Run console commands in order and return one answer each.

        :param timeout: seconds for all of them
        :param attempts: Docker now and then loses what a short command printed, all of it. So often the
            commands are run then; 1 for those that must not be run twice
        :raises AsteriskSilent: some were not answered
        :raises DockerTimeout: they took longer
        :raises DockerError: the container cannot be asked
        """
        if not commands:
            return []
        path = self._control_socket()
        if path is None:
            return self._run_in_container(commands, timeout, attempts)
        deadline = time.monotonic() + timeout
        answers: list[str] = []
        try:
            for command in commands:
                answers.append(asterisk_console.ask(path, command, deadline - time.monotonic()))
        except asterisk_console.NoAnswer as error:
            if isinstance(error, asterisk_console.NobodyListens) and not answers:
                return self._run_in_container(commands, timeout, attempts)
            if time.monotonic() >= deadline:
                raise DockerTimeout(f"Asterisk in {self.container} takes too long: {error}") from error
            raise AsteriskSilent(
                f"Asterisk in {self.container} answered {len(answers)} of {len(commands)} commands ({error})"
            ) from error
        return answers

    def _control_socket(self) -> Path | None:
        """Find the console's socket; None where the commands have to be run inside the container."""
        try:
            return asterisk_console.control_socket(self.engine.container(self.container))
        except DockerError:
            return None

    def _run_in_container(self, commands: Sequence[str], timeout: float, attempts: int) -> list[str]:
        argv = ["sh", "-c", _RUN_ALL, "sh", *commands]
        for _attempt in range(attempts):
            done = self.engine.exec(self.container, argv, timeout=timeout)
            answers = done.stdout.split(_RECORD)[1:]
            if answers:
                break
            time.sleep(_PAUSE_SECONDS)
        if len(answers) != len(commands):
            raise AsteriskSilent(
                f"Asterisk in {self.container} answered {len(answers)} of {len(commands)} commands "
                f"(exit status {done.exit_code}) {done.stderr.strip()}".rstrip()
            )
        return answers

    def await_boot(self, seconds: float) -> None:
        """Return when Asterisk has fully booted; `AsteriskSilent` when it has not in time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if (
                    self.engine.exec(self.container, ["sh", "-c", _AWAIT_BOOT], timeout=seconds).exit_code
                    == 0
                ):
                    return
            except DockerTimeout as error:
                raise AsteriskSilent(
                    f"Asterisk in {self.container} has not booted after {seconds:g} s"
                ) from error
            # The loop ends early only with its container, which its restart policy may bring back.
            if time.monotonic() >= deadline:
                raise AsteriskSilent(f"Asterisk in {self.container} ended while starting")
            time.sleep(0.3)

    def options_answer(self, port: int) -> str:
        """Send a SIP OPTIONS inside the container and return the status line, '' when silent."""
        return self.engine.exec(self.container, [_HEALTHCHECK, str(port)], timeout=15).stdout.strip()

    def channels(self) -> int:
        """Return the number of open channels (a call has one per leg)."""
        return parse_channel_count(self.run(["core show channels count"])[0])

    def is_drained(self) -> bool:
        """Tell whether every endpoint refuses new calls."""
        listed, refusing = self.run(["pjsip list endpoints", "pjsip show maintenance"])
        return parse_names("endpoint", listed) <= parse_maintenance(refusing)

    def is_resumed(self) -> bool:
        """Tell whether no endpoint refuses new calls."""
        return not parse_maintenance(self.run(["pjsip show maintenance"])[0])

    def drain(
        self,
        seconds: int,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> Drained:
        """Refuse new calls with 503 and wait until the running ones have ended.

        :param seconds: how long to wait for them; new ones are refused until `resume` or a restart
        """
        start = clock()
        self.run(["pjsip set maintenance on all"])
        while (left := self.channels()) and clock() - start < seconds:
            sleep(min(1.0, max(0.0, seconds - (clock() - start))))
        return Drained(left, round(clock() - start))

    def resume(self) -> None:
        """Take new calls again."""
        self.run(["pjsip set maintenance off all"])


def parse_names(kind: str, answer: str) -> frozenset[str]:
    """Return the names in the answer of `pjsip list`; endpoints and auths show ``name/caller``."""
    word = PJSIP_KINDS[kind][1]
    lines = re.findall(rf"^\s*{word}:\s+(\S+)", answer, re.MULTILINE)
    return frozenset(name.split("/", 1)[0] for name in lines if not name.startswith("<"))


def parse_maintenance(answer: str) -> frozenset[str]:
    """Return the endpoints that refuse new calls, from `pjsip show maintenance`."""
    return frozenset(re.findall(r"^\s+(\S+)\s+ON\s*$", answer, re.MULTILINE))


def parse_parameters(answer: str) -> tuple[tuple[str, str], ...]:
    """Return the sorted parameters of one object from the answer of `pjsip show <kind> <name>`."""
    found = (_PARAMETER.match(line) for line in answer.splitlines())
    pairs = ((match["key"], match["value"].strip()) for match in found if match)
    return tuple(sorted(pair for pair in pairs if pair[0] != "ParameterName"))


def parse_contexts(answer: str) -> dict[str, tuple[str, ...]]:
    """Return the lines of each context that extensions.conf made, from `dialplan show`."""
    starts = list(_CONTEXT.finditer(answer))
    contexts = {}
    for match in starts:
        body = answer[match.end() :].split("\n[ Context '", 1)[0]
        lines = (line.rstrip() for line in body.splitlines())
        contexts[match["name"]] = tuple(line for line in lines if line and not line.startswith("-= "))
    return contexts


def parse_channel_count(answer: str) -> int:
    """Return the number of channels from `core show channels count`."""
    match = _CHANNELS.search(answer)
    if match is None:
        raise AsteriskSilent(f"Asterisk does not say how many channels are open: {answer.strip()!r}")
    return int(match[1])


def parse_udp_port(answer: str) -> int | None:
    """Return the port of the first UDP transport from `pjsip list transports`."""
    match = _UDP_TRANSPORT.search(answer)
    return int(match["port"]) if match else None


def list_commands(kinds: Iterable[str] = PJSIP_KINDS) -> list[str]:
    """Return the commands that list the objects of each kind."""
    return [f"pjsip list {PJSIP_KINDS[kind][0]}" for kind in kinds]


def running_container(engine: DockerEngine, name: str) -> bool:
    """Tell whether a container runs, and is not on its way from one crash to the next."""
    state = (engine.container(name) or {}).get("State", {})
    return bool(state.get("Running") and not state.get("Restarting"))
