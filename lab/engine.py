"""The Docker engine of this machine: found, or installed and started.

An engine that already answers is used as it is and never configured. One that this module had to
start itself (a machine without systemd) keeps running after ``make down``; ``make clean`` stops it,
unless containers of somebody else run on it.
"""

from __future__ import annotations

import getpass
import grp
import os
import shutil
import time
from pathlib import Path

import docker
import docker.errors

from lab.console import Console, LabError, print_tail
from lab.paths import ENGINE_LOG, ENGINE_PID
from lab.system import as_root, ensure_programs

_GROUP = "docker"
_START_SECONDS = 60
_SOCKET = Path("/var/run/docker.sock")


def connect() -> docker.DockerClient:
    """Return a client of the engine.

    Raises:
        LabError: no engine answers, or this user may not talk to it; the message says which.
    """
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except docker.errors.DockerException as error:
        if _is_forbidden():
            raise LabError(
                f"{getpass.getuser()} may not use the Docker engine in this session: "
                "run the command through lab/with-docker"
            ) from error
        raise LabError("no Docker engine answers: `make up` installs and starts one") from error
    return client


def ensure_engine(console: Console) -> None:
    """Install and start an engine unless one answers, and let this user talk to it.

    Raises:
        LabError: root's rights are missing, or the engine does not start.
    """
    if not _answers():
        ensure_programs({"dockerd": "docker.io"}, console)
        ensure_programs({"docker": "docker-cli"}, console)  # since Debian 13 a package of its own
        if not _answers():  # the package's own scripts may have started it
            _start(console)
    _admit_user(console)


def is_present() -> bool:
    """Whether this machine has an engine, running or not."""
    return shutil.which("dockerd") is not None or _answers()


def stop_engine(console: Console) -> None:
    """Stop the engine if ``ensure_engine`` started it and nothing runs on it; leave any other alone."""
    if not _is_ours() or connect().containers.list():
        return
    console.say("Stopping the Docker engine that the lab had started")
    pid = ENGINE_PID.read_text(encoding="utf-8").strip()
    console.run(as_root(["sh", "-c", 'kill "$1" && rm "$2"', "sh", pid, str(ENGINE_PID)]), "engine-stop")


def _is_ours() -> bool:
    """Whether the process that ``ensure_engine`` once started is still the engine."""
    if not ENGINE_PID.exists():
        return False
    comm = Path("/proc", ENGINE_PID.read_text(encoding="utf-8").strip(), "comm")
    return comm.exists() and comm.read_text(encoding="utf-8").strip() == "dockerd"


def _answers() -> bool:
    """Whether an engine is there, be it one that refuses this user."""
    try:
        docker.from_env(timeout=10).ping()
    except docker.errors.DockerException:
        return _is_forbidden()
    return True


def _is_forbidden() -> bool:
    return "DOCKER_HOST" not in os.environ and _SOCKET.exists() and not os.access(_SOCKET, os.W_OK)


def _start(console: Console) -> None:
    if Path("/run/systemd/system").is_dir():
        console.say("Starting the Docker engine (systemd)")
        console.run(as_root(["systemctl", "enable", "--now", "docker"]), "engine-start")
    else:
        console.say("Starting the Docker engine (no systemd here: in a session of its own)")
        # The shell becomes dockerd, so that the number it wrote is the engine's.
        launch = 'echo $$ > "$1"; exec dockerd > "$2" 2>&1 < /dev/null'
        console.run(
            as_root(["setsid", "--fork", "sh", "-c", launch, "sh", str(ENGINE_PID), str(ENGINE_LOG)]),
            "engine-start",
        )
    deadline = time.monotonic() + _START_SECONDS
    while not _answers():
        if time.monotonic() > deadline:
            if ENGINE_LOG.exists():
                print_tail(ENGINE_LOG)
            raise LabError(f"the Docker engine did not answer within {_START_SECONDS} s of being started")
        time.sleep(0.5)


def _admit_user(console: Console) -> None:
    """Add this user to the group that owns the engine's socket, if only that is missing."""
    if not _is_forbidden():
        return
    user = getpass.getuser()
    if user not in grp.getgrnam(_GROUP).gr_mem:
        console.say(f"Adding {user} to the group {_GROUP}, whose members may use the engine")
        console.run(as_root(["usermod", "--append", "--groups", _GROUP, user]), "engine-group")
