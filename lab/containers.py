"""The lab's networks and containers: made to match :mod:`lab.hosts`, or removed.

A container carries the hash of its specification as a label. A host whose specification, image or
keys changed is made anew; one that merely stopped is started again, which is its reboot.
"""

from __future__ import annotations

import hashlib
import io
import json
import socket
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from lab import images, keys
from lab.console import Console, LabError
from lab.hosts import (
    CAREFUL_USER,
    CLOUD_NETWORK,
    HOSTS,
    NAT,
    NAT_INSIDE,
    NETWORKS,
    PACKAGES_NETWORK,
    PBX,
    SERVER_USER,
    SIP_NETWORK,
    Host,
    Network,
)
from lab.paths import CLIENT_KEY, HOST_KEY, ROOT
from lab.system import has_ipv6, nameservers

_PREFIX = "lab-"
_LABEL_SPEC = "callcenter.lab.spec"
_LABEL_CHECKOUT = "callcenter.lab.checkout"
_SSH_SECONDS = 60
_STOP_SECONDS = 30  # a server that shuts down lets its PBX end its calls

# Added to Docker's own default set. Neither "ALL" nor ``--privileged``: where root itself lacks a
# capability (CAP_SYS_RESOURCE in some virtual machines) old engines fail on what they cannot grant,
# and new ones refuse to drop it. The clock and the kernel's modules stay out of the server's reach.
_SERVER_CAPABILITIES = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_PTRACE",
    "SYS_TTY_CONFIG",
    "SYSLOG",
]


@dataclass(frozen=True)
class HostState:
    """One row of the status table; ``state`` is Docker's word, or ``absent``."""

    host: Host
    state: str
    image: str


def ensure_networks(
    client: docker.DockerClient, console: Console, networks: Sequence[Network] = NETWORKS
) -> None:
    """Create the networks that do not exist.

    Raises:
        LabError: a network of that name has other subnets, or a subnet is in use elsewhere.
    """
    for network in networks:
        existing = client.networks.list(names=[f"^{network.name}$"])
        wanted = _wanted_subnets(network)
        if not existing:
            console.say(f"Creating the network {network.name} ({', '.join(wanted)})")
            _create_network(client, network)
        elif _subnets(existing[0].attrs) != wanted:
            raise LabError(
                f"the network {network.name} is not {' and '.join(wanted)}: `make down` removes it"
            )


def ensure_hosts(client: docker.DockerClient, console: Console, hosts: Sequence[Host] = HOSTS) -> None:
    """Create, re-create or start every host, and wait until the server answers SSH.

    The server and the NAT of a cloud go where they are not wanted: they have the same public address.

    Raises:
        LabError: another checkout's lab runs here, or the server does not come up.
    """
    refuse_foreign_lab(client)
    wanted = {host.name: host for host in hosts}
    for container in _lab_containers(client):
        host = wanted.get(str(container.name))
        if host is None or (host.name == PBX.name and not _is_as_wanted(container, host)):
            console.say(f"{container.name} is not what the lab says any more: removing it")
            _remove_host(client, container)
    for host in hosts:
        _ensure_host(client, host, console)
    wait_for_ssh()


def remove_all(client: docker.DockerClient) -> list[str]:
    """Remove all containers, volumes and networks of the lab; return what was removed."""
    removed = []
    for container in _lab_containers(client):
        _hang_up_ssh(container)
        container.remove(force=True, v=True)
        removed.append(f"container {container.name}")
    for volume in client.volumes.list(filters={"name": _PREFIX}):
        if volume.name in _volume_names():
            volume.remove()
            removed.append(f"volume {volume.name}")
    for network in (*NETWORKS, CLOUD_NETWORK):
        for existing in client.networks.list(names=[f"^{network.name}$"]):
            existing.remove()
            removed.append(f"network {network.name}")
    return removed


def restart_running(client: docker.DockerClient) -> list[str]:
    """Restart the hosts that run, the server last; return their names. For the server that is a reboot."""
    running = [item for item in _lab_containers(client) if item.status == "running"]
    for container in sorted(running, key=lambda item: item.name == PBX.name):
        _hang_up_ssh(container)
        container.restart(timeout=_STOP_SECONDS if container.name == PBX.name else 0)
    return [str(container.name) for container in running]


def survey(client: docker.DockerClient) -> list[HostState]:
    """State of every host of the lab, in the order of the address table."""
    found = {container.name: container for container in _lab_containers(client)}
    return [_state(host, found.get(host.name)) for host in HOSTS]


def wait_for_ssh(seconds: int = _SSH_SECONDS) -> None:
    """Wait until the server's sshd greets.

    Raises:
        LabError: it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not _sshd_greets():
        if time.monotonic() > deadline:
            raise LabError(
                f"{PBX.name} did not answer SSH at {PBX.address} within {seconds} s: "
                f"look at `docker exec {PBX.name} systemctl status` and `docker logs {PBX.name}`"
            )
        time.sleep(0.2)


def _create_network(client: docker.DockerClient, network: Network) -> None:
    subnets = _wanted_subnets(network)
    pools = [docker.types.IPAMPool(subnet=subnet) for subnet in subnets]
    pools[0]["Gateway"] = network.gateway
    try:
        client.networks.create(
            network.name,
            driver="bridge",
            internal=network.internal,
            enable_ipv6=len(subnets) > 1,
            ipam=docker.types.IPAMConfig(pool_configs=pools),
        )
    except docker.errors.APIError as error:
        raise LabError(
            f"cannot create the network {network.name} ({network.subnet}): {error.explanation}"
        ) from error


def _wanted_subnets(network: Network) -> list[str]:
    return [network.subnet, *([network.subnet6] if network.subnet6 and has_ipv6() else ())]


def _subnets(attributes: dict[str, Any]) -> list[str]:
    return [pool["Subnet"] for pool in attributes["IPAM"]["Config"]]


def refuse_foreign_lab(client: docker.DockerClient) -> None:
    """Make sure that what runs is this checkout's lab, or none.

    Raises:
        LabError: another checkout's lab runs; the message names it.
    """
    for container in _lab_containers(client):
        checkout = container.labels.get(_LABEL_CHECKOUT)
        if checkout != str(ROOT):
            raise LabError(
                f"{container.name} belongs to the lab of {checkout or 'somebody else'}, and this machine "
                "has room for one: `make down`, here or there, removes it"
            )


def _ensure_host(client: docker.DockerClient, host: Host, console: Console) -> None:
    specification = _specification(host)
    fingerprint = _fingerprint(specification, host)
    container = _find(client, host)
    if container is not None and not _is_as_wanted(container, host):
        console.say(f"{host.name} is not what its recipe says any more: making it anew")
        _remove_host(client, container)
        container = None
    if container is None:
        console.say(f"Creating {host.name} ({host.address}, {host.purpose})")
        container = _create(client, host, specification, fingerprint)
    if container.status != "running":
        container.start()
    if host.kind == "server":
        container.exec_run(["sh", "-c", f"echo '{CAREFUL_USER}:{keys.sudo_password()}' | chpasswd"])


def _is_as_wanted(container: Container, host: Host) -> bool:
    return bool(container.labels.get(_LABEL_SPEC) == _fingerprint(_specification(host), host))


def _remove_host(client: docker.DockerClient, container: Container) -> None:
    """Remove a container with its volume."""
    name = str(container.name)
    _hang_up_ssh(container)
    container.remove(force=True, v=True)
    for volume in client.volumes.list(filters={"name": name}):
        if volume.name == _volume_of(name):
            volume.remove()


def _specification(host: Host) -> dict[str, Any]:
    """Everything that decides what the container is, in the engine's own words."""
    network = (CLOUD_NETWORK if host.in_the_cloud else SIP_NETWORK).name
    return {
        "Image": images.reference(host.kind),
        "Hostname": host.name,
        "StopTimeout": _STOP_SECONDS,
        "Cmd": list(host.command),
        "Env": _environment(host),
        "HostConfig": {"NetworkMode": network, **_host_config(host)},
        "NetworkingConfig": {"EndpointsConfig": {network: {"IPAMConfig": _addresses(host)}}},
    }


def _environment(host: Host) -> list[str]:
    if host.kind != "server":
        return []
    routes = [f"LAB_ROUTE={SIP_NETWORK.subnet} via {NAT_INSIDE}"] if host.in_the_cloud else []
    return [f"LAB_NAMESERVERS={' '.join(nameservers())}", *routes]


def _addresses(host: Host) -> dict[str, str]:
    """The host's addresses, of IPv6 only where this machine has it."""
    ipv6 = {"IPv6Address": host.address6} if has_ipv6() and not host.in_the_cloud and host != NAT else {}
    return {"IPv4Address": host.address, **ipv6}


def _host_config(host: Host) -> dict[str, Any]:
    if host.kind == "server":
        return _server_config(host)
    forwards = {"Sysctls": {"net.ipv4.ip_forward": "1"}} if host == NAT else {}
    return {"CapAdd": ["NET_ADMIN", "NET_RAW"], **forwards}  # tests run SIPp, tcpdump and iptables here


def _server_config(host: Host) -> dict[str, Any]:
    """Rights that systemd and a Docker engine inside need, short of ``--privileged``."""
    limit = {"Memory": host.memory_mib * 1024 * 1024} if host.memory_mib else {}
    # A small server's /tmp: in memory, half of it.
    tmp = f"rw,nosuid,nodev,exec,mode=1777{f',size={host.memory_mib // 2}m' if host.memory_mib else ''}"
    return {
        **limit,
        "CapAdd": _SERVER_CAPABILITIES,
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "DeviceCgroupRules": ["a *:* rwm"],
        "CgroupnsMode": "private",
        "Tmpfs": {
            "/run": "rw,nosuid,nodev,exec,mode=755",
            "/run/lock": "rw,nosuid,nodev,noexec,mode=1777",
            "/tmp": tmp,
        },
        # The engine inside cannot use overlayfs on top of overlayfs.
        "Mounts": [{"Type": "volume", "Source": _volume(host), "Target": "/var/lib/docker"}],
    }


def _fingerprint(specification: dict[str, Any], host: Host) -> str:
    text = json.dumps(specification, sort_keys=True)
    if host.kind == "server":
        text += keys.public_key(CLIENT_KEY) + keys.public_key(HOST_KEY)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _create(
    client: docker.DockerClient, host: Host, specification: dict[str, Any], fingerprint: str
) -> Container:
    labels = {_LABEL_SPEC: fingerprint, _LABEL_CHECKOUT: str(ROOT)}
    api: Any = client.api  # its stubs leave this call untyped
    created = api.create_container_from_config({**specification, "Labels": labels}, host.name)
    container = client.containers.get(created["Id"])
    if host == NAT:
        client.networks.get(CLOUD_NETWORK.name).connect(container, ipv4_address=NAT_INSIDE)
    if host.kind == "server":
        if not host.in_the_cloud:
            client.networks.get(PACKAGES_NETWORK.name).connect(container)
        container.put_archive("/", _server_files())
    return container


def _server_files() -> bytes:
    """A tar archive with the server's host key and the key that may log in."""
    files = {
        "etc/ssh/ssh_host_ed25519_key": (HOST_KEY.read_text(encoding="utf-8"), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (keys.public_key(HOST_KEY), 0o644),
        # sshd insists on an owner that is the user or root; root saves looking up the user's number.
        **{
            f"home/{user}/.ssh/authorized_keys": (keys.public_key(CLIENT_KEY), 0o644)
            for user in (SERVER_USER, CAREFUL_USER)
        },
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (text, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _hang_up_ssh(container: Container) -> None:
    """Close the server's SSH sessions, so that no master connection here waits for a dead peer."""
    if container.name == PBX.name and container.status == "running":
        container.exec_run(["pkill", "-f", "^sshd"])


def _lab_containers(client: docker.DockerClient) -> list[Container]:
    names = {host.name for host in (*HOSTS, NAT)}
    return [item for item in client.containers.list(all=True) if item.name in names]


def _find(client: docker.DockerClient, host: Host) -> Container | None:
    try:
        return client.containers.get(host.name)
    except docker.errors.NotFound:
        return None


def _state(host: Host, container: Container | None) -> HostState:
    if container is None:
        return HostState(host, "absent", "")
    return HostState(host, container.status, str(container.attrs["Config"]["Image"]))


def _volume(host: Host) -> str:
    return _volume_of(host.name)


def _volume_of(name: str) -> str:
    return f"{name}-docker"


def _volume_names() -> set[str]:
    return {_volume(host) for host in HOSTS if host.kind == "server"}


def _sshd_greets() -> bool:
    try:
        with socket.create_connection((PBX.address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
