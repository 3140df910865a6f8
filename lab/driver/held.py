"""A call that is up while something else happens to the PBX."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.driver.agents import Talk
from lab.driver.audio import Audio, audio_between
from lab.driver.capture import record
from lab.driver.machine import PATIENCE, DriverError
from lab.driver.parties import Parties

# A packet or two are on their way when a call ends: of fewer than these seconds that would be 1 %.
_LEAST_SECONDS = 8
_LONGER_THAN_ANY_RUN = Talk(seconds=400, hang_up=False)
_DID = "+19863334949"
_CALLER = "+15550108888"


class HeldCall:
    """From the carrier's second POP to phone 100, with audio both ways all the time."""

    def __init__(self) -> None:
        self._audio: Audio | None = None

    @property
    def audio(self) -> Audio:
        """What was heard at both ends, once the call is over."""
        assert self._audio is not None, "the call is not over"
        return self._audio

    def assert_nothing_was_lost(self, least_packets: int = 100) -> None:
        """Fail if a direction lost 1 % of its packets, or was silent for a second.

        Args:
            least_packets: fewer than these (50 a second) and the call was too short to prove anything.
        """
        for direction in (self.audio.forward, self.audio.backward):
            assert direction.received_packets > least_packets, self.audio
            assert direction.lost < 0.01, self.audio
            assert direction.received is not None
            assert direction.received.longest_gap < 1, direction.received


@contextmanager
def held_call(lab: Parties) -> Iterator[HeldCall]:
    """A call that is up for the time of a with block, and hung up at its end.

    Raises:
        DriverError: it did not come up, or was gone at the end of the block.
    """
    held = HeldCall()
    with record(lab.umatilla.machine, lab.phone_100.machine) as recorded:
        call = lab.umatilla.call(_DID, _LONGER_THAN_ANY_RUN, caller=_CALLER)
        lab.server.wait_until(lambda: lab.server.channels() == 2, "the held call", PATIENCE)
        began = time.monotonic()
        yield held
        time.sleep(max(0, began + _LEAST_SECONDS - time.monotonic()))
        channels = lab.server.channels()
        lab.server.asterisk("channel request hangup all")
        result = call.wait()
    if channels != 2:
        raise DriverError(f"the held call did not survive: {channels} channels at its end instead of 2")
    carrier = recorded.of(lab.umatilla.machine).leg(result.call_id)
    held._audio = audio_between(carrier, recorded.of(lab.phone_100.machine).leg_from(_CALLER))
