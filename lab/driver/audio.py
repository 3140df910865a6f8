"""The assertion behind every "audio flows both ways": packets counted at both ends of the call."""

from __future__ import annotations

from dataclasses import dataclass

from lab.driver.capture import Leg, RtpFlow
from lab.driver.sipp import Codec

PACKETS_PER_SECOND = 50
MAX_LOSS = 0.01


@dataclass(frozen=True)
class Direction:
    """The audio of one direction: what left one end and what arrived at the other."""

    name: str
    sent: RtpFlow | None
    received: RtpFlow | None

    @property
    def sent_packets(self) -> int:
        return self.sent.packets if self.sent else 0

    @property
    def received_packets(self) -> int:
        return self.received.packets if self.received else 0

    @property
    def lost(self) -> float:
        """The share of packets (0.0 to 1.0) that did not arrive: by count at both ends, or gaps if worse."""
        if not self.sent or not self.received:
            return 1.0
        by_count = 1 - self.received.packets / self.sent.packets
        by_gaps = self.received.lost / (self.received.packets + self.received.lost)
        return max(0.0, by_count, by_gaps)

    def __str__(self) -> str:
        return f"{self.name}: {self.received_packets} of {self.sent_packets} packets, {self.lost:.1%} lost"


@dataclass(frozen=True)
class Audio:
    """Both directions of a call."""

    forward: Direction
    backward: Direction

    def __str__(self) -> str:
        return f"{self.forward}; {self.backward}"


def audio_between(caller: Leg, callee: Leg) -> Audio:
    """Pair the RTP of the two legs of a call."""
    return Audio(
        Direction("caller to callee", caller.sent, callee.received),
        Direction("callee to caller", callee.sent, caller.received),
    )


def assert_two_way_audio(caller: Leg, callee: Leg, seconds: float, codec: Codec | None = None) -> Audio:
    """Assert that audio of that many seconds went both ways through the PBX, with less than 1 % lost.

    Args:
        caller: the leg from the caller to the PBX, as the caller's host saw it.
        callee: the leg from the PBX to the callee, as the callee's host saw it.
        seconds: of audio the caller sent.
        codec: that both legs must have used; None for any.

    Raises:
        AssertionError: with the counts of both directions.
    """
    audio = audio_between(caller, callee)
    expected = seconds * PACKETS_PER_SECOND * (1 - MAX_LOSS)
    for direction in (audio.forward, audio.backward):
        assert direction.sent_packets >= expected, f"too little was sent: {audio}"
        assert direction.received_packets >= expected, f"too little arrived: {audio}"
        assert direction.lost < MAX_LOSS, f"too much was lost: {audio}"
        for flow in (direction.sent, direction.received):
            if codec is not None and flow is not None:
                assert flow.payload_types == {codec.payload_type}, f"not {codec.name}: {flow}"
    return audio
