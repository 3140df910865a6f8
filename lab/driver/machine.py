"""A lab host as the driver sees it: run a command in it, put and fetch files, keep background processes."""

from __future__ import annotations

import io
import itertools
import shlex
import tarfile
import time
from functools import cache, cached_property
from pathlib import PurePosixPath

import docker
from docker.models.containers import Container

from lab.console import LabError
from lab.hosts import Host

WORK_DIR = PurePosixPath("/var/lib/lab")
_serial = itertools.count(time.time_ns() // 1_000_000)


PATIENCE = 30
"""Seconds to wait for what an idle machine does at once: a busy one takes its time, and that is no fault."""


class DriverError(LabError):
    """A lab host did not do what the driver asked; the message has the command and its output."""


@cache
def docker_client() -> docker.DockerClient:
    """One client for all hosts and threads."""
    return docker.from_env(max_pool_size=64, timeout=60)


class Process:
    """A command running in a lab host's background.

    Always ended by its owner: by ``wait`` or ``stop``.
    """

    def __init__(self, machine: Machine, command: list[str], label: str) -> None:
        self.machine = machine
        self.name = f"{label}-{next(_serial)}"
        self.output_file = WORK_DIR / f"{self.name}.out"
        self._pid_file = WORK_DIR / f"{self.name}.pid"
        redirected = f"{shlex.join(command)} > {self.output_file} 2>&1"
        line = f"cd {WORK_DIR} && echo $$ > {self._pid_file} && exec {redirected}"
        api = docker_client().api
        self._exec_id: str = api.exec_create(
            machine.container.id, ["sh", "-c", line], environment={"TERM": "xterm"}
        )["Id"]
        api.exec_start(self._exec_id, detach=True)
        self._exit_code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """None while it runs. Kept once known: the engine forgets what ended some minutes ago."""
        if self._exit_code is None:
            state = docker_client().api.exec_inspect(self._exec_id)
            self._exit_code = None if state["Running"] else state["ExitCode"]
        return self._exit_code

    @property
    def output(self) -> str:
        """What it printed so far, both streams."""
        return self.machine.read(self.output_file).decode(errors="replace")

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit code.

        Args:
            timeout: seconds.

        Raises:
            DriverError: it still runs then; it is stopped first.
        """
        deadline = time.monotonic() + timeout
        while (code := self.exit_code) is None:
            if time.monotonic() > deadline:
                self.stop("KILL")
                raise DriverError(
                    f"{self.machine.name}: {self.name} still ran after {timeout} s: {self.output}"
                )
            time.sleep(0.05)
        return code

    def stop(self, signal: str = "TERM") -> int:
        """End it by a signal to its own process id, if it still runs; return the exit code.

        Raises:
            DriverError: it survives that, and KILL too.
        """
        for name in (signal, "KILL"):
            if self.exit_code is not None:
                break
            # It may end by itself in between: then there is nothing to kill, and that is fine.
            self.machine.run(["sh", "-c", f"kill -{name} $(cat {self._pid_file}) 2>/dev/null; true"])
            deadline = time.monotonic() + PATIENCE
            while self.exit_code is None and time.monotonic() < deadline:
                time.sleep(0.03)
        code = self.exit_code
        if code is None:
            raise DriverError(f"{self.machine.name}: {self.name} cannot be ended")
        return code


class Machine:
    """One lab host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.name = host.name
        self.address = host.address

    @cached_property
    def container(self) -> Container:
        """The container behind the host.

        Raises:
            DriverError: the lab is not up.
        """
        try:
            return docker_client().containers.get(self.name)
        except docker.errors.NotFound:
            raise DriverError(f"there is no lab host {self.name}: run `make up` first") from None

    def run(self, command: list[str], timeout_seconds: int = 60) -> str:
        """Run a command to its end and return what it printed on standard output.

        Raises:
            DriverError: its exit status is not 0.
        """
        bounded = ["timeout", str(timeout_seconds), *command]
        code, out, err = _execute(self.container, bounded)
        if code != 0:
            raise DriverError(f"{self.name}: {shlex.join(command)} exited {code}: {out}{err}")
        return out

    def start(self, command: list[str], label: str) -> Process:
        """Run a command in the background, its output in a file of the host."""
        self.ensure_work_dir()
        return Process(self, command, label)

    def write(self, path: PurePosixPath, content: bytes) -> None:
        """Write a file (mode 0600) into an existing directory."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(content))
        self.container.put_archive(str(path.parent), buffer.getvalue())

    def read(self, path: PurePosixPath) -> bytes:
        """A file's content; empty if it does not exist (yet)."""
        try:
            chunks, _ = self.container.get_archive(str(path))
        except docker.errors.NotFound:
            return b""
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile(path.name)
            return member.read() if member else b""

    def wait_for_udp_port(self, port: int) -> None:
        """Wait until some process of the host has this UDP port open.

        Raises:
            DriverError: none has it after a while.
        """
        self.run(["sh", "-c", f"until grep -q ':{port:04X} ' /proc/net/udp; do sleep 0.02; done"], PATIENCE)

    def ensure_work_dir(self) -> None:
        """Create the driver's directory in the host, once per container."""
        _ensure_work_dir(self.container.id, self.name)


def _execute(container: Container, command: list[str]) -> tuple[int, str, str]:
    """Run a command in a container: its exit status, standard output and standard error."""
    api = docker_client().api
    exec_id: str = api.exec_create(container.id, command)["Id"]
    out, err = api.exec_start(exec_id, demux=True)
    deadline = time.monotonic() + PATIENCE
    # The engine closes the streams a moment before it knows how the command ended.
    while (code := api.exec_inspect(exec_id)["ExitCode"]) is None:
        if time.monotonic() > deadline:
            raise DriverError(f"{container.name}: {shlex.join(command)}: nobody says how it ended")
        time.sleep(0.02)
    return int(code), (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace")


@cache
def _ensure_work_dir(container_id: str, name: str) -> None:
    container = docker_client().containers.get(container_id)
    code, _, error = _execute(container, ["install", "-d", "-m", "0700", str(WORK_DIR)])
    if code != 0:
        raise DriverError(f"{name}: cannot create {WORK_DIR}: {error}")
