"""This machine: root's rights, Debian packages, and the name servers it uses."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lab.console import Console, LabError

_IPV6_ADDRESSES = Path("/proc/net/if_inet6")
_RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def add_system_directories() -> None:
    """Make programs of /sbin findable: the PATH of a plain user, or of root after `su`, lacks them."""
    directories = os.environ.get("PATH", os.defpath).split(os.pathsep)
    system = [item for item in ("/usr/local/sbin", "/usr/sbin", "/sbin") if item not in directories]
    os.environ["PATH"] = os.pathsep.join([*directories, *system])


def has_ipv6() -> bool:
    """Tell whether this machine's kernel speaks IPv6."""
    return _IPV6_ADDRESSES.exists()


def as_root(command: Sequence[str]) -> list[str]:
    """Return ``command`` in a form that runs as root.

    Raises:
        LabError: this user is not root and has no ``sudo``.
    """
    if os.geteuid() == 0:
        return list(command)
    if shutil.which("sudo") is None:
        raise LabError(f"root is needed to run {command[0]}: run this as root, or install and allow sudo")
    # Without a terminal nobody could type a password: fail at once instead of waiting for one.
    return ["sudo", *([] if sys.stdin.isatty() else ["-n"]), *command]


def ensure_programs(packages: Mapping[str, str], console: Console) -> None:
    """Install the Debian packages of the programs that are not there yet.

    Args:
        packages: program name to the name of the package that has it.

    Raises:
        LabError: a program is missing and apt-get is not there, not allowed, or failed.
    """
    missing = sorted({package for program, package in packages.items() if shutil.which(program) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise LabError(
            f"missing packages: {' '.join(missing)}: install them with this system's package manager"
        )
    console.say(f"Installing packages: {' '.join(missing)}")
    noninteractive = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    console.run(as_root([*noninteractive, "update"]), "apt-update")
    console.run(
        as_root([*noninteractive, "install", "--yes", "--no-install-recommends", *missing]),
        "apt-install",
    )


def nameservers(files: Iterable[Path] = _RESOLVER_FILES) -> list[str]:
    """Addresses of the name servers that a container could reach too; empty if there is none.

    The first file with a server that is not on the loopback interface wins: where a local resolver
    answers, systemd keeps the real ones in a file of its own.
    """
    for path in files:
        if not path.is_file():
            continue
        words = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
        found = [item[1] for item in words if len(item) > 1 and item[0] == "nameserver"]
        reachable = [address for address in found if _is_reachable_ipv4(address)]
        if reachable:
            return reachable
    return []


def _is_reachable_ipv4(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.version == 4 and not parsed.is_loopback
