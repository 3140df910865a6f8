"""How the budgets are measured and printed: medians of runs taken in turn, and the ratio of the medians."""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.console import LabError
from lab.hosts import PBX
from lab.paths import CLIENT_KEY, KNOWN_HOSTS, ROOT

ROUNDS = 5
HEADER = "\n| what | against | figures | ratio | at most | |\n| --- | --- | --- | --- | --- | --- |"
_PING = "- hosts: pbx\n  gather_facts: false\n  become: true\n  tasks: [{ansible.builtin.ping: {}}]\n"


@dataclass(frozen=True)
class Row:
    """One budget: seconds (or what `unit` says) of the measured thing and of what it is measured against."""

    what: str
    against: str
    seconds: float
    base_seconds: float
    at_most: float
    note: str = ""
    unit: str = "s"

    def __str__(self) -> str:
        ratio = self.seconds / self.base_seconds
        verdict = "met" if ratio <= self.at_most else "NOT met"
        figures = f"{self.seconds:.2f} {self.unit} / {self.base_seconds:.2f} {self.unit}"
        return (
            f"| {self.what} | {self.against} | {figures} "
            f"| {ratio:.3g}x | {self.at_most:g}x | {verdict}{self.note} |"
        )


def play(playbook: str, variables: Mapping[str, object] | None = None) -> None:
    """Run a playbook on the lab.

    Raises:
        LabError: it failed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as extra:
        json.dump(variables or {}, extra)
        extra.flush()
        run([program("ansible-playbook"), playbook, "--extra-vars", f"@{extra.name}"])


def ping() -> None:
    """Run a play whose one task is a ping: what everything Ansible does is measured against."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as playbook:
        playbook.write(_PING)
        playbook.flush()
        run([program("ansible-playbook"), playbook.name])


def program(name: str) -> str:
    """The path of a program of this virtual environment."""
    return str(Path(sys.executable).with_name(name))


def on_server(command: str, text: str = "") -> str:
    """Run a shell command as root on the PBX's server, with this input, and return what it printed."""
    ssh = ["ssh", "-i", str(CLIENT_KEY), "-o", f"UserKnownHostsFile={KNOWN_HOSTS}", f"deploy@{PBX.address}"]
    return run([*ssh, f"sudo sh -c {shlex.quote(command)}"], text=text)


def run(command: Sequence[str], cwd: Path = ROOT, text: str = "") -> str:
    """Run a command and return its output.

    Raises:
        LabError: its exit status is not 0.
    """
    done = subprocess.run(command, cwd=cwd, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def timed(action: Callable[[], object]) -> float:
    """Seconds that something takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The medians of what was measured in pairs."""
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)
