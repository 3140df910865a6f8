"""The lab's PBX server from inside: Asterisk's command line, its log, its container."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lab.driver.machine import PATIENCE, DriverError, Machine, docker_client

CONTAINER = "callcenter-asterisk"
LOG = "/opt/callcenter/logs/messages"


class Server(Machine):
    """``lab-pbx``."""

    def asterisk(self, command: str) -> str:
        """Run one command on Asterisk's own command line and return what it prints."""
        return self.run(["docker", "exec", CONTAINER, "asterisk", "-rx", command])

    def channels(self) -> int:
        """How many channels are up: two for a call that is answered."""
        first = self.asterisk("core show channels count").split()
        return int(first[0])

    def answered_channels(self) -> int:
        """How many channels are answered, none of those that ring."""
        lines = self.asterisk("core show channels concise").splitlines()
        return sum(line.split("!")[4:5] == ["Up"] for line in lines)

    def contacts(self, number: str) -> list[str]:
        """The registered contacts of an extension as Asterisk keeps them, each with when it expires."""
        kept = self.asterisk("database show registrar/contact").splitlines()
        return sorted(line for line in kept if line.startswith(f"/registrar/contact/{number};"))

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Wait until a condition holds.

        Raises:
            DriverError: it does not within that time; names ``what`` was awaited, and the channels.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise DriverError(
                    f"{what} did not come in {seconds} s: {self.asterisk('core show channels')}"
                )
            time.sleep(0.1)

    def wait_until_idle(self, seconds: float = PATIENCE) -> None:
        """Wait until no channel is left.

        Raises:
            DriverError: some are, ``seconds`` later.
        """
        self.wait_until(lambda: self.channels() == 0, "the end of all calls", seconds)

    def container_state(self) -> dict[str, Any]:
        """What the engine says of the PBX's container: ``State`` of ``docker inspect``, with the id."""
        inspected = json.loads(self.run(["docker", "inspect", CONTAINER]))[0]
        return {**inspected["State"], "Id": inspected["Id"]}

    def live_release(self) -> str:
        """Where the link to the live configuration points."""
        return self.run(["readlink", "/opt/callcenter/docker/asterisk/config"]).strip()

    def log_size(self) -> int:
        """Bytes of Asterisk's log so far: a mark for ``log_since``."""
        # Docker 20.10 once in some ten thousand commands loses what one printed that ended at once.
        for _attempt in range(3):
            if printed := self.run(["stat", "-c", "%s", LOG]):
                return int(printed)
        raise DriverError(f"stat says nothing of {LOG}")

    def log_since(self, mark: int) -> str:
        """What Asterisk logged since a mark."""
        return self.run(["tail", "-c", f"+{mark + 1}", LOG])

    def banned_packets(self) -> int:
        """Packets that the rules of SIP-BLACKLIST (IPv4) have dropped so far."""
        listing = self.run(["iptables", "--verbose", "--numeric", "--exact", "--list", "SIP-BLACKLIST"])
        rules = [line.split() for line in listing.splitlines()[2:]]
        return sum(int(packets) for packets, _bytes, target, *_ in rules if target == "DROP")

    def flows_of(self, address: str) -> int:
        """How many connections from or to an address the kernel tracks."""
        script = 'conntrack -L -s "$0"; conntrack -L -d "$0"'
        return len(self.run(["sh", "-c", f"({script}) 2>/dev/null", address]).splitlines())

    def reboot(self) -> None:
        """Restart the container that is the server: whatever was not made persistent is gone."""
        docker_client().containers.get(self.name).restart(timeout=30)

    def restart_docker(self) -> None:
        """Restart the engine on the server."""
        self.run(["systemctl", "restart", "docker"], 120)

    @contextmanager
    def hurried(self, timer: str) -> Iterator[None]:
        """Let a timer of the server, which comes each minute, come each third second, also after a reboot."""
        directory = f"/etc/systemd/system/{timer}.d"
        often = "OnCalendar=\nOnActiveSec=\nOnUnitActiveSec=\nOnActiveSec=3\nOnUnitActiveSec=3\nAccuracySec=1"
        load = f"systemctl daemon-reload; systemctl restart {timer}"
        write = f"mkdir -p {directory}; printf '[Timer]\\n{often}\\n' > {directory}/hurry.conf"
        self.run(["sh", "-ec", f"{write}; {load}"])
        try:
            yield
        finally:
            self.run(["sh", "-ec", f"rm -r {directory}; {load}"])

    def entries(self, name: str) -> list[str]:
        """The members of one of the kernel's sets."""
        lines = self.run(["ipset", "save", name]).splitlines()
        return [line.split()[2] for line in lines if line.startswith("add ")]

    def banned(self) -> dict[str, int]:
        """The addresses and networks that are banned in the kernel, with the seconds that are left."""
        lines = self.run(["sh", "-c", "ipset save sip-banned-v4; ipset save sip-banned-v6"]).splitlines()
        words = [line.split() for line in lines if line.startswith("add ")]
        return {entry[2]: int(entry[entry.index("timeout") + 1]) for entry in words}

    def wait_until_healthy(self, seconds: float = 240) -> None:
        """Wait until the server runs the PBX and its own health check has passed.

        Raises:
            DriverError: that takes longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                state = self.container_state()
                if state["Running"] and state["Health"]["Status"] == "healthy":
                    return
                reason = f"{state['Status']}, health {state['Health']['Status']}"
            except DriverError as error:  # the server or its engine is still starting
                reason = str(error)
            if time.monotonic() > deadline:
                raise DriverError(f"the PBX is not back after {seconds} s: {reason}")
            time.sleep(0.5)
