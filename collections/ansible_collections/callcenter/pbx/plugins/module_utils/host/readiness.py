# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What keeps a PBX from being put on a host: found before anything is installed, all of it at once.

Reads /proc and the file systems alone. A fault names what is in the way, and the remedy.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

PROC = Path("/proc")
CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")
PACKAGE_LOCKS = (
    Path("/var/lib/dpkg/lock-frontend"),
    Path("/var/lib/dpkg/lock"),
    Path("/var/lib/apt/lists/lock"),
)
_DOCKERS_OWN = ("docker-proxy", "dockerd")
_LISTENS = {"tcp": "0A", "udp": "07"}
_MIB = 1024 * 1024
# What Docker takes first where nobody has said otherwise: its own bridge, then one network for each project.
DOCKER_DEFAULTS = ("172.17.0.0/16", "172.18.0.0/16")


@dataclass(frozen=True)
class Socket:
    """A port that is listened on: protocol (tcp, udp), number, and the inode that leads to its process."""

    protocol: str
    port: int
    inode: str


def faults(
    needs: Mapping[str, Any],
    docker_networks: Sequence[str],
    published: Mapping[str, str],
    source: str | None,
) -> list[str]:
    """Return everything that is in the way.

    :param needs: ``ports`` (``5060/udp``, ``10000-10100/udp``), ``memory_mib``, and ``disk_mib`` by path
    :param docker_networks: those that Docker has, or would take
    :param published: ports that other containers publish (``5060/udp``), with the container's name
    :param source: the address that the administrator comes from
    """
    wanted = set(_ports(needs.get("ports") or ()))
    return [
        *_taken(wanted, published),
        *_memory(int(needs.get("memory_mib") or 0)),
        *_disk(needs.get("disk_mib") or {}),
        *_covered(docker_networks, source),
    ]


def _ports(spelled: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield (protocol, port) of ``5060/udp`` and ``10000-10100/udp``."""
    for text in spelled:
        numbers, _, protocol = text.partition("/")
        first, _, last = numbers.partition("-")
        for port in range(int(first), int(last or first) + 1):
            yield protocol, port


# --- Ports -----------------------------------------------------------------------------------------


def _taken(wanted: set[tuple[str, int]], published: Mapping[str, str]) -> Iterator[str]:
    """Say who holds wanted ports: one sentence for each process or container."""
    holders: dict[str, list[tuple[str, int]]] = {}
    for text, container in published.items():
        for protocol, port in set(_ports([text])) & wanted:
            holders.setdefault(f"the container {container}", []).append((protocol, port))
    sockets = [one for one in listening() if (one.protocol, one.port) in wanted]
    owners = processes({one.inode for one in sockets}) if sockets else {}
    for one in sockets:
        name, pid = owners.get(one.inode, ("an unknown process", 0))
        if name in _DOCKERS_OWN:
            # Either stands for a container, which has been named, or for ours: it is just being started.
            continue
        who = f"{name} (process {pid})" if pid else name
        holders.setdefault(who, []).append((one.protocol, one.port))
    for who, ports in sorted(holders.items()):
        shown = sorted(set(ports))
        spelled = ", ".join(f"{port}/{protocol}" for protocol, port in shown[:3])
        more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        yield (
            f"Port {spelled}{more} is taken by {who}. Stop it and keep it from starting again, or give the "
            "PBX other ports (pbx_sip_port, pbx_rtp_ports)."
        )


def listening() -> list[Socket]:
    """Return the ports that processes of this host listen on."""
    found = []
    for protocol, state in _LISTENS.items():
        for name in (protocol, f"{protocol}6"):
            try:
                lines = (PROC / "net" / name).read_text(encoding="ascii").splitlines()[1:]
            except OSError:
                continue
            for words in map(str.split, lines):
                if words[3] == state:
                    found.append(Socket(protocol, int(words[1].rpartition(":")[2], 16), words[9]))
    return found


def processes(inodes: set[str]) -> dict[str, tuple[str, int]]:
    """Return (name, number) of the process behind each socket."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, tuple[str, int]] = {}
    for directory in PROC.iterdir():
        if not directory.name.isdigit():
            continue
        for inode in wanted.keys() & set(_open_files(directory)):
            found.setdefault(wanted[inode], (command_of(int(directory.name)), int(directory.name)))
    return found


def _open_files(process: Path) -> Iterator[str]:
    """Yield what a process has open; it, or a file, may be closed meanwhile."""
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def command_of(pid: int) -> str:
    """Return the name of a process."""
    try:
        return (PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a process that has ended"


# --- Memory and disk -------------------------------------------------------------------------------


def _memory(needed: int) -> Iterator[str]:
    there = memory_mib()
    if there < needed:
        yield (
            f"It has {there} MiB of memory, and the PBX needs {needed}. Give the server more, or lower "
            "docker_host_needed_memory_mib if you know better."
        )


def memory_mib() -> int:
    """Return the memory of this host, in a container the container's."""
    lines = (PROC / "meminfo").read_text(encoding="ascii").splitlines()
    total = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:")) // 1024
    try:
        limit = CGROUP_MEMORY.read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit) // _MIB) if limit.isdigit() else total


def _disk(needed: Mapping[str, int]) -> Iterator[str]:
    """Compare by file system: what several paths need of the same one is added up."""
    needs: dict[int, list[tuple[str, int]]] = {}
    for path, size in needed.items():
        there = _existing(Path(path))
        needs.setdefault(there.stat().st_dev, []).append((path, int(size)))
    for entries in needs.values():
        space = os.statvfs(_existing(Path(entries[0][0])))
        free, wanted = space.f_bavail * space.f_frsize // _MIB, sum(size for _, size in entries)
        if free < wanted:
            yield (
                f"{free} MiB are free for {' and '.join(path for path, _ in entries)}, and {wanted} MiB are "
                "needed. Free space there, or enlarge the file system."
            )


def _existing(path: Path) -> Path:
    """Return the path, or the nearest directory above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


# --- Networks --------------------------------------------------------------------------------------


def _covered(networks: Sequence[str], source: str | None) -> Iterator[str]:
    if source is None:
        return
    address = ip_address(source)
    for text in networks:
        network = ip_network(text, strict=False)
        if network.version == address.version and address in network:
            yield (
                f"You come from {source}, and Docker's network {network} covers that address: answers to you "
                "would go into it, and you would be shut out. Give Docker other networks, in "
                "docker_host_daemon_config: bip: 10.213.0.1/24 and default-address-pools: "
                "[{base: 10.214.0.0/16, size: 24}]."
            )


def docker_networks(daemon_config: Mapping[str, Any]) -> list[str]:
    """Return the networks that an engine with this configuration would take first."""
    pools = [str(pool["base"]) for pool in daemon_config.get("default-address-pools") or ()]
    bridge = daemon_config.get("bip")
    own = [str(bridge)] if bridge else pools[:1] or [DOCKER_DEFAULTS[0]]
    return [*own, *(pools or [DOCKER_DEFAULTS[1]])]


def ask_engine(own: str) -> tuple[list[str], dict[str, str]]:
    """Return the networks of the running engine, and the ports that other containers publish.

    :param own: the container whose ports are not in the way
    """
    from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine

    engine = DockerEngine(timeout=15)
    networks = [
        str(config["Subnet"])
        for network in engine.get("/networks")
        for config in (network.get("IPAM") or {}).get("Config") or ()
        if config.get("Subnet")
    ]
    published = {}
    for container in engine.get("/containers/json"):
        name = str((container.get("Names") or ["?"])[0]).lstrip("/")
        for port in container.get("Ports") or ():
            if name != own and port.get("PublicPort"):
                published[f"{port['PublicPort']}/{port['Type']}"] = name
    return networks, published


# --- Packages --------------------------------------------------------------------------------------


def package_lock() -> str | None:
    """Return who is installing packages just now, as ``apt-get (process 812)``, None when nobody is."""
    for path in PACKAGE_LOCKS:
        pid = lock_holder(path)
        if pid:
            return f"{command_of(pid)} (process {pid})"
    return None


def lock_holder(path: Path) -> int | None:
    """Return the process that holds the lock on a file, None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES):
            return None
        raise
    try:
        # struct flock of Linux on 64 bits: type, whence, start, length, process.
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return pid if kind != fcntl.F_UNLCK else None
