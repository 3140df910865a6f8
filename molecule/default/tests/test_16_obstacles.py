"""What is in the way on a host is named before anything is installed; locked packages are waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab.driver.parties import Parties
from lab.driver.playbook import run_playbook
from lab.driver.server import CONTAINER

PYTHON = "/usr/bin/python3"
HOLD_PORTS = """
import socket, time
ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for port, number in zip(ports, (5060, 10007)):
    port.bind(("0.0.0.0", number))
time.sleep(600)
"""
HOLD_LOCK = """
import fcntl, time
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
time.sleep(600)
"""
TOO_MUCH = {
    "docker_host_needed_memory_mib": 99_000_000,
    "docker_host_needed_disk_mib": {"/var/tmp": 99_000_000},
}


@pytest.fixture
def without_the_pbx(lab: Parties) -> Iterator[None]:
    """The server as it was before the PBX came, as far as ports go."""
    lab.server.run(["docker", "rm", "-f", CONTAINER], 120)
    yield
    run = run_playbook("playbooks/pbx.yml")
    assert run.exit_code == 0, run.output
    lab.server.wait_until_healthy()
    lab.switch_on()


@pytest.mark.usefixtures("without_the_pbx")
def test_everything_that_is_in_the_way_is_named_at_once_and_nothing_touched(lab: Parties) -> None:
    holder = lab.server.start([PYTHON, "-c", HOLD_PORTS], "holder")
    try:
        lab.server.wait_for_udp_port(10007)
        for arguments in ((), ("--check",)):
            run = run_playbook("playbooks/host.yml", *arguments, "-e", json.dumps(TOO_MUCH))
            assert run.exit_code != 0
            assert "Port 5060/udp, 10007/udp is taken by python3 (process" in run.words
            assert "of memory, and the PBX needs 99000000" in run.words
            assert "MiB are free for /var/tmp, and 99000000 MiB are needed" in run.words
            assert run.changed == 0
    finally:
        holder.stop()


def test_locked_packages_are_waited_for_and_who_locks_them_is_named(lab: Parties) -> None:
    """Without Compose the host wants packages."""
    plugin = "/usr/libexec/docker/cli-plugins/docker-compose"
    holder = lab.server.start([PYTHON, "-c", HOLD_LOCK], "holder")
    lab.server.run(["mv", plugin, f"{plugin}.away"])
    try:
        run = run_playbook("playbooks/host.yml", "-e", "docker_host_package_lock_seconds=5")
        assert run.exit_code != 0
        assert "python3 (process" in run.words
        assert "has kept the packages locked for 5 s" in run.words
        assert run.changed == 0
    finally:
        lab.server.run(["mv", f"{plugin}.away", plugin])
        holder.stop()
