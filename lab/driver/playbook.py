"""Runs the project's playbooks against the lab, and reads their recap."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.driver.machine import DriverError
from lab.paths import ROOT

_RECAP = re.compile(
    r"^lab-pbx\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=\d+\s+failed=\d+", re.MULTILINE
)
_CAUSE = re.compile(r"^(?:\[ERROR\]:|fatal:).*", re.MULTILINE)


@dataclass(frozen=True)
class PlaybookResult:
    """How a run ended; the counts are those of ``lab-pbx``, 0 if the play never got to it."""

    exit_code: int
    output: str

    @property
    def changed(self) -> int:
        return self._count("changed")

    @property
    def ok(self) -> int:
        return self._count("ok")

    @property
    def words(self) -> str:
        """The output with every run of white space made one space, for searching sentences in it."""
        return " ".join(self.output.split())

    @property
    def cause(self) -> str:
        """The first line that says what failed; empty if none does."""
        found = _CAUSE.search(self.output)
        return found[0] if found else ""

    def _count(self, name: str) -> int:
        recap = _RECAP.search(self.output)
        return int(recap[name]) if recap else 0


def _environment() -> dict[str, str]:
    """This process's environment with none of its Ansible settings: only ansible.cfg counts.

    Molecule exports some; forced colours, for one, make the recap unreadable.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {**inherited, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def run_playbook(
    playbook: str,
    *arguments: str,
    variables: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: int = 900,
) -> PlaybookResult:
    """Run a playbook of this repository against the lab, without judging its result.

    Args:
        playbook: path below the repository's root.
        arguments: further arguments of ``ansible-playbook``.
        variables: extra variables, passed in a private file.
        environment: added to this process's own.
        timeout: seconds.
    """
    command = [str(Path(sys.executable).with_name("ansible-playbook")), playbook, *arguments]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as extra:
        if variables:
            json.dump(variables, extra)
            extra.flush()
            command += ["--extra-vars", f"@{extra.name}"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    return PlaybookResult(done.returncode, done.stdout)


def kill_playbook_at(task: str, playbook: str, *arguments: str, occurrence: int = 1) -> str:
    """Start a playbook and kill it, with all its processes, the moment it announces a task.

    Args:
        task: end of the task's name as the console shows it.
        playbook: path below the repository's root.
        arguments: further arguments of ``ansible-playbook``.
        occurrence: which announcement of that name.

    Returns:
        What it had printed.

    Raises:
        DriverError: it ended without having come to that task.
    """
    command = [str(Path(sys.executable).with_name("ansible-playbook")), playbook, *arguments]
    printed = ""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if line.startswith("TASK [") and f"{task}]" in line:
                occurrence -= 1
                if occurrence == 0:
                    break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            raise DriverError(f"{playbook} ended before it came to {task!r}: {printed}")
    return printed


@contextmanager
def redeployed(
    playbook: str, variables: Mapping[str, object], afterwards: Mapping[str, object] | None = None
) -> Iterator[None]:
    """Deploy with other variables for the time of a with block.

    Args:
        playbook: path below the repository's root.
        variables: what is different meanwhile.
        afterwards: what is different at its end; nothing deploys what the inventory says.

    Raises:
        DriverError: the playbook failed, either way.
    """
    try:
        deploy(playbook, variables)
        yield
    finally:
        deploy(playbook, afterwards)


def deploy(playbook: str, variables: Mapping[str, object] | None = None) -> PlaybookResult:
    """Run a playbook that must succeed.

    Raises:
        DriverError: it failed.
    """
    result = run_playbook(playbook, variables=variables)
    if result.exit_code != 0:
        given = variables or "the inventory as it is"
        raise DriverError(f"{playbook} failed with {given}: {result.cause}\n{result.output}")
    return result
