"""The lab's PBX server from inside: Asterisk's command line, its log, its container."""

from __future__ import annotations

import json
import time
from typing import Any

from lab.driver.machine import DriverError, Machine

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

    def wait_until_idle(self, seconds: float = 5) -> None:
        """Wait until no channel is left.

        Raises:
            DriverError: some are, ``seconds`` later.
        """
        deadline = time.monotonic() + seconds
        while channels := self.channels():
            if time.monotonic() > deadline:
                raise DriverError(f"{channels} channels never ended: {self.asterisk('core show channels')}")
            time.sleep(0.1)

    def container_state(self) -> dict[str, Any]:
        """What the engine says of the PBX's container: ``State`` of ``docker inspect``, with the id."""
        inspected = json.loads(self.run(["docker", "inspect", CONTAINER]))[0]
        return {**inspected["State"], "Id": inspected["Id"]}

    def live_release(self) -> str:
        """Where the link to the live configuration points."""
        return self.run(["readlink", "/opt/callcenter/docker/asterisk/config"]).strip()

    def log_size(self) -> int:
        """Bytes of Asterisk's log so far: a mark for ``log_since``."""
        return int(self.run(["stat", "-c", "%s", LOG]))

    def log_since(self, mark: int) -> str:
        """What Asterisk logged since a mark."""
        return self.run(["tail", "-c", f"+{mark + 1}", LOG])

    def wait_until_healthy(self, seconds: float) -> None:
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
