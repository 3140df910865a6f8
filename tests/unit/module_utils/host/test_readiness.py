"""What is in the way of a PBX on a host: named with process, port, path or network, and the remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.host import readiness
from ansible_collections.callcenter.pbx.plugins.module_utils.host.readiness import docker_networks, faults

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host on which nothing is in the way: 2 GB of memory, nobody listens but sshd."""
    (tmp_path / "net").mkdir()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        (tmp_path / "net" / name).write_text(HEAD)
    listen(tmp_path, "tcp", 22, 77, "sshd")
    (tmp_path / "meminfo").write_text("MemTotal:        2014564 kB\nMemFree: 1 kB\n")
    monkeypatch.setattr(readiness, "PROC", tmp_path)
    monkeypatch.setattr(readiness, "CGROUP_MEMORY", tmp_path / "memory.max")
    return tmp_path


def listen(proc: Path, name: str, port: int, pid: int, command: str) -> None:
    """Let a process listen."""
    state = "0A" if name.startswith("tcp") else "07"
    inode = f"{len(name)}{name[0]}{port}".translate({ord("t"): "1", ord("u"): "2"})
    with (proc / "net" / name).open("a") as stream:
        stream.write(f"   1: 00000000:{port:04X} 00000000:0000 {state} 0:0 00:0 0 0 0 {inode} 2 0 0\n")
    (proc / str(pid) / "fd").mkdir(parents=True, exist_ok=True)
    (proc / str(pid) / "comm").write_text(f"{command}\n")
    (proc / str(pid) / "fd" / f"{name}-{port}").symlink_to(f"socket:[{inode}]")


PORTS = {"ports": ["5060/udp", "5060/tcp", "10000-10100/udp"]}


def test_nothing_is_in_the_way_of_a_free_host(proc: Path) -> None:
    needs = {**PORTS, "memory_mib": 700, "disk_mib": {str(proc): 1, str(proc / "not" / "there"): 1}}
    assert faults(needs, ["172.17.0.0/16"], {}, "198.51.100.9") == []


def test_each_holder_of_ports_is_named_once(proc: Path) -> None:
    listen(proc, "udp6", 5060, 812, "kamailio")
    listen(proc, "tcp", 5060, 812, "kamailio")
    for port in range(10000, 10006):
        listen(proc, "udp", port, 900, "rtpengine")
    listen(proc, "udp", 5353, 901, "avahi-daemon")
    listen(proc, "udp", 10050, 902, "docker-proxy")
    found = faults(PORTS, [], {"10050/udp": "pbx-of-old", "443/tcp": "web"}, None)
    assert [text.partition(". Stop")[0] for text in found] == [
        "Port 5060/tcp, 5060/udp is taken by kamailio (process 812)",
        "Port 10000/udp, 10001/udp, 10002/udp and 3 more is taken by rtpengine (process 900)",
        "Port 10050/udp is taken by the container pbx-of-old",
    ]
    assert all("pbx_sip_port, pbx_rtp_ports" in text for text in found)


def test_ports_of_a_container_that_docker_is_just_starting_are_not_in_the_way(proc: Path) -> None:
    """After a boot it holds them one after the other, for ten seconds and more, before the container runs."""
    for port in (5060, 10000, 10001):
        listen(proc, "udp", port, 216, "dockerd")
    assert faults(PORTS, [], {}, None) == []


def test_a_port_that_somebody_only_sends_from_is_not_taken(proc: Path) -> None:
    with (proc / "net" / "tcp").open("a") as stream:
        stream.write("   1: 0100007F:13C4 0100007F:0050 01 0:0 00:0 0 0 0 4711 2 0 0\n")
    assert faults(PORTS, [], {}, None) == []


def test_too_little_memory_is_named_with_both_figures(proc: Path) -> None:
    assert faults({"memory_mib": 4000}, [], {}, None)[0].startswith(
        "It has 1967 MiB of memory, and the PBX needs 4000."
    )
    (proc / "memory.max").write_text("536870912\n")
    assert faults({"memory_mib": 700}, [], {}, None)[0].startswith("It has 512 MiB of memory")
    (proc / "memory.max").write_text("max\n")
    assert faults({"memory_mib": 700}, [], {}, None) == []


def test_too_little_disk_is_named_with_its_paths(proc: Path) -> None:
    paths = {str(proc / "docker"): 10**9, str(proc / "build"): 5}
    (found,) = faults({"disk_mib": paths}, [], {}, None)
    assert f"MiB are free for {proc / 'docker'} and {proc / 'build'}, and 1000000005 MiB are needed" in found


@pytest.mark.parametrize(
    ("networks", "source", "covered"),
    [
        (["172.17.0.0/16", "172.18.0.0/16"], "172.18.3.4", "172.18.0.0/16"),
        (["172.17.0.1/24"], "172.17.0.9", "172.17.0.0/24"),
        (["172.17.0.0/16"], "172.20.0.9", None),
        (["172.17.0.0/16"], "2001:db8::9", None),
        (["172.17.0.0/16"], None, None),
    ],
)
def test_a_network_of_docker_that_covers_the_administrator_is_named(
    proc: Path, networks: list[str], source: str | None, covered: str | None
) -> None:
    found = faults({}, networks, {}, source)
    assert bool(found) == bool(covered)
    if covered:
        assert found[0].startswith(
            f"You come from {source}, and Docker's network {covered} covers that address"
        )
        assert "docker_host_daemon_config" in found[0]


@pytest.mark.parametrize(
    ("config", "networks"),
    [
        ({}, ["172.17.0.0/16", "172.18.0.0/16"]),
        ({"bip": "10.213.0.1/24"}, ["10.213.0.1/24", "172.18.0.0/16"]),
        (
            {"default-address-pools": [{"base": "10.214.0.0/16", "size": 24}]},
            ["10.214.0.0/16", "10.214.0.0/16"],
        ),
    ],
)
def test_docker_takes_what_it_is_told_to(config: dict[str, object], networks: list[str]) -> None:
    assert docker_networks(config) == networks


def test_the_process_that_installs_packages_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock-frontend"
    lock.touch()
    monkeypatch.setattr(readiness, "PACKAGE_LOCKS", (tmp_path / "absent", lock))
    assert readiness.package_lock() is None
    held = f"f = open({str(lock)!r}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX)"
    code = f"import fcntl; {held}; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout and holder.stdin
        holder.stdout.readline()
        name = Path(f"/proc/{holder.pid}/comm").read_text().strip()
        assert readiness.package_lock() == f"{name} (process {holder.pid})"
        holder.stdin.close()
    assert readiness.package_lock() is None
