"""SIPp in lab hosts: scenarios rendered from ``lab/sipp``, results with every message they exchanged."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from lab.driver.machine import WORK_DIR, DriverError, Machine, Process
from lab.driver.messages import SipMessage, parse_message

SCENARIOS_DIR = Path(__file__).resolve().parent.parent / "sipp"
_FRAME = re.compile(
    r"^-{5,} \d{4}-\d\d-\d\d[ \t][\d:.]+\n\w+ message (?:sent|received) [^\n]*\n\n", re.MULTILINE
)


_PARTS = ("challenge", "audio", "while_talking", "from_host", "media_host")


class ScenarioTemplate(Template):
    """``%{name}`` is filled in by the driver; ``$`` and ``[…]`` stay SIPp's."""

    delimiter = "%"


@dataclass(frozen=True)
class Codec:
    """A codec of the lab: static payload type, name in SDP, and one period of G.711's own test tone."""

    payload_type: int
    encoding: str
    milliwatt: bytes

    @property
    def name(self) -> str:
        return self.encoding.partition("/")[0]


ULAW = Codec(0, "PCMU/8000", bytes.fromhex("1e0b0b1e9e8b8b9e"))
ALAW = Codec(8, "PCMA/8000", bytes.fromhex("34212134b4a1a1b4"))


@dataclass(frozen=True)
class SippResult:
    """How a SIPp process ended.

    Attributes:
        exit_code: 0 every call went through its scenario, 1 at least one did not; others see ``sipp -h``.
        messages: what it sent and received, in order.
        errors: its error log; empty if there was none.
    """

    exit_code: int
    messages: tuple[SipMessage, ...]
    errors: str

    @property
    def call_ids(self) -> tuple[str, ...]:
        """The Call-IDs of its calls, in order of appearance; the PBX's OPTIONS in between are not calls."""
        return tuple(dict.fromkeys(item.call_id for item in self.messages if item.method != "OPTIONS"))

    def final_status(self, call_id: str | None = None) -> int:
        """The last final status of a call's first request (INVITE, REGISTER); 0 if none came.

        Args:
            call_id: which call; None for the first.
        """
        wanted = call_id or next(iter(self.call_ids), "")
        messages = [item for item in self.messages if item.call_id == wanted]
        method = messages[0].method if messages else ""
        answers = [item.status for item in messages if item.status >= 200 and item.method == method]
        return answers[-1] if answers else 0


class Sipp:
    """A running SIPp."""

    def __init__(self, process: Process, label: str) -> None:
        self.process = process
        self._label = label

    def wait(self, timeout: float = 90) -> SippResult:
        """Wait for the end.

        Args:
            timeout: seconds.

        Raises:
            DriverError: it did not end in time (it is ended then), or it could not run at all.
        """
        return self._result(self.process.wait(timeout))

    def stop(self) -> SippResult:
        """End it now, whatever its calls do."""
        return self._result(self.process.stop())

    def messages(self) -> tuple[SipMessage, ...]:
        """What it sent and received so far, in order."""
        trace = self.process.machine.read(WORK_DIR / f"{self._label}.messages")
        return parse_trace(trace.decode(errors="replace"))

    def _result(self, exit_code: int) -> SippResult:
        machine = self.process.machine
        errors = machine.read(WORK_DIR / f"{self._label}.errors").decode(errors="replace")
        if exit_code in (254, 255):
            raise DriverError(f"{machine.name}: SIPp could not run: {errors or self.process.output}")
        return SippResult(exit_code, self.messages(), errors)


def render(scenario: str, values: Mapping[str, object]) -> str:
    """Fill in a scenario.

    Args:
        scenario: a file of ``lab/sipp``.
        values: text for each ``%{name}``; some of them may be scenario text themselves.

    Raises:
        KeyError: the scenario needs a value that is not given.
        ValueError: a value holds a character that would change the scenario.
    """
    for key, value in values.items():
        if key not in _PARTS and set('<>"[]\n') & set(str(value)):
            raise ValueError(f"{key} cannot be written into a SIPp scenario: {value!r}")
    return ScenarioTemplate((SCENARIOS_DIR / scenario).read_text(encoding="utf-8")).substitute(values)


def parse_trace(text: str) -> tuple[SipMessage, ...]:
    """The messages of a ``-trace_msg`` file, in order."""
    parsed = (parse_message(part) for part in _FRAME.split(text)[1:])
    return tuple(message for message in parsed if message is not None)


def start_sipp(
    machine: Machine,
    scenario: str,
    values: Mapping[str, object],
    *,
    sip_port: int,
    remote: str = "",
    options: tuple[str, ...] = (),
) -> Sipp:
    """Start SIPp on a lab host.

    Args:
        machine: where.
        scenario: a file of ``lab/sipp``.
        values: fills the scenario in.
        sip_port: the local port.
        remote: ``address:port`` to call; empty to wait for calls.
        options: further SIPp options.
    """
    machine.ensure_work_dir()
    label = f"{Path(scenario).stem}-{next(_serial)}"
    machine.write(WORK_DIR / f"{label}.xml", render(scenario, values).encode())
    command = ["sipp", *([remote] if remote else []), "-sf", f"{label}.xml", "-nostdin"]
    command += ["-i", machine.address, "-p", str(sip_port), "-cp", str(_ports.take("control", 1))]
    command += [
        "-trace_msg",
        "-message_file",
        f"{label}.messages",
        "-trace_err",
        "-error_file",
        f"{label}.errors",
    ]
    # SIPp's watchdog gives up on a machine that was busy for a moment; a busy machine is no failed call.
    command += ["-watchdog_minor_threshold", "60000", "-watchdog_major_threshold", "60000"]
    return Sipp(machine.start([*command, *options], label), label)


def free_sip_port() -> int:
    """A local SIP port no other SIPp of this driver uses."""
    return _ports.take("sip", 1)


def media_ports(calls: int) -> tuple[str, ...]:
    """SIPp options for a caller's RTP: a port range of its own for so many simultaneous calls."""
    # SIPp takes four ports a call (audio and video, each with RTCP).
    width = 4 * calls + 4
    first = _ports.take("media", width)
    return ("-min_rtp_port", str(first), "-max_rtp_port", str(first + width - 1))


def audio_file(machine: Machine, codec: Codec) -> str:
    """The path of one second of tone (raw samples) on a host, written there when first needed."""
    machine.ensure_work_dir()
    path = WORK_DIR / f"milliwatt-{codec.payload_type}.raw"
    _write_once(machine, machine.container.id, str(path), codec.milliwatt * 1000)
    return str(path)


@cache
def _write_once(machine: Machine, container_id: str, path: str, content: bytes) -> None:
    machine.write(WORK_DIR / Path(path).name, content)


class _Ports:
    """Hands out local ports in ranges that wrap around long after their last user is gone."""

    _RANGES = {"sip": (20000, 24000), "control": (24000, 28000), "media": (30000, 50000)}  # noqa: RUF012

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = {kind: first for kind, (first, _) in self._RANGES.items()}

    def take(self, kind: str, count: int) -> int:
        first, end = self._RANGES[kind]
        with self._lock:
            start = self._next[kind] if self._next[kind] + count <= end else first
            self._next[kind] = start + count
        return start


_ports = _Ports()
_serial = itertools.count(1)
