# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The host's side of the firewall: what is read from it, and the changes made to it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import facts
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import rules as firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import (
    ABSENT_SET,
    SETS,
    Set,
    parse_set,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host import readers
from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import ENVIRONMENT, SYSTEM_PATH
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine, DockerError
from ansible_collections.callcenter.pbx.plugins.module_utils.host.origin import ansible_source
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Protected,
    drop_covered,
    parse_network,
)

STATE_DIR = Path("/var/lib/callcenter-firewall")
PROGRAMS = {4: "iptables", 6: "ip6tables"}
VARIANTS = ("nft", "legacy")
LOCK_SECONDS = "10"
FIREWALLD = "org.fedoraproject.FirewallD1"
FIREWALLD_ZONES = (Path("/etc/firewalld/zones"), Path("/usr/lib/firewalld/zones"))


class Unable(Exception):
    """The wanted state cannot be planned or made; the text names the fault and the remedy.

    :param refused: the entries of the list that are the reason, if any
    """

    def __init__(self, message: str, refused: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.refused = refused


def which(program: str) -> str | None:
    """Return the path of one of the system's programs."""
    return shutil.which(program, path=SYSTEM_PATH)


@dataclass(frozen=True)
class Guard:
    """What guards the host's ports, and whether it lets callers in."""

    name: str
    zone: str | None = None
    is_open: bool = True


class Host:
    """Everything read from the host, and the changes made to it.

    :param all_members: read the members of the kernel's sets even when their number differs, for a diff
    """

    def __init__(self, all_members: bool = False) -> None:
        self.all_members = all_members
        self.active = self._active_services()

    def output(self, *argv: str) -> str | None:
        """Return what a command prints, None when it fails or does not exist."""
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, env=ENVIRONMENT)
        except FileNotFoundError:
            return None
        return done.stdout if done.returncode == 0 else None

    def feed(self, text: str, *argv: str) -> None:
        """Run a command with `text` as its standard input.

        :raises Unable: with its words, when it fails
        """
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, env=ENVIRONMENT)
        if done.returncode != 0:
            raise Unable(
                f"`{' '.join(argv)}` refused the new state, which it takes as a whole or not at all: "
                f"{done.stderr.strip()}"
            )

    def _active_services(self) -> dict[str, bool]:
        units = ["docker.service", "firewalld.service"]
        text = self.output("systemctl", "show", "--property=ActiveState,UnitFileState", *units) or ""
        return {name: unit["active"] for name, unit in readers.parse_units(text, units).items()}

    # -- iptables and ipset -----------------------------------------------------------------

    def table(self, program: str, name: str = "filter") -> firewall.Table | None:
        """Read a table, None where the program or the protocol is missing."""
        text = self.output(f"{program}-save", "-t", name)
        return None if text is None else firewall.parse_table(text)

    def docker_variant(self, default: firewall.Table) -> str:
        """Return the suffix of the iptables programs Docker uses: '' for the host's default ones.

        The two variants keep separate rules. Docker calls plain `iptables`, looked up at each call; only when
        its chains are found nowhere but in the other variant (the default was changed under a running engine)
        must ours go there too.
        """
        if "DOCKER" in default.chains or not self.active["docker.service"]:
            return ""
        for variant in VARIANTS:
            other = self.table(f"{PROGRAMS[4]}-{variant}")
            if other is not None and "DOCKER" in other.chains:
                return f"-{variant}"
        return ""

    def set(self, version: int, expected: int) -> Set:
        """Read a kernel set, its members only when they may be the expected number of them, or for a diff."""
        name = SETS[version]
        header = self.output("ipset", "list", "-terse", name)
        if header is None:
            return ABSENT_SET
        if f"Number of entries: {expected}\n" not in header and not self.all_members:
            return Set(exists=True, members=None)
        return parse_set(self.output("ipset", "save", name) or "")

    # -- what the host depends on -------------------------------------------------------------

    def protected(self) -> tuple[Protected, ...]:
        """Return what this host must never block."""
        found = [*facts.ALWAYS_PROTECTED, *self._docker_networks()]
        found += facts.own_addresses(self.output("ip", "-json", "address") or "")
        for version in ("-4", "-6"):
            routes = self.output("ip", version, "-json", "route", "show", "default") or ""
            found += facts.default_gateways(routes)
        source = ansible_source()
        if source:
            found.append(Protected("the address Ansible comes from", parse_network(source)[0]))
        return drop_covered(found)

    def _docker_networks(self) -> tuple[Protected, ...]:
        """Ask the engine, if it runs: connecting to the socket of a stopped one would start it."""
        if not self.active["docker.service"]:
            return ()
        try:
            return facts.docker_networks(DockerEngine(timeout=15).get("/networks"))
        except DockerError as error:
            raise Unable(
                f"Docker's networks, which must never be blocked, cannot be read: {error}. "
                "See `journalctl -u docker` on the host."
            ) from error

    # -- what guards its ports ----------------------------------------------------------------

    def guard(self, tables: dict[int, firewall.Table], ports: firewall.Ports) -> Guard:
        """Find what guards the ports. Plain iptables counts as open: this module opens it itself."""
        if self.active["firewalld.service"]:
            return self._firewalld(ports)
        if firewall.ufw_is_on(tables[4]):
            return Guard("ufw", is_open=all(firewall.ufw_opens(table, ports) for table in tables.values()))
        closed = any(firewall.closes(table) for table in tables.values())
        return Guard("iptables" if closed else "none")

    def _firewalld(self, ports: firewall.Ports) -> Guard:
        """Ask firewalld over its bus, which takes a tenth of the time of firewall-cmd."""
        device = facts.default_device(self.output("ip", "-json", "route", "show", "default") or "")
        zone = self._bus("zone", "getZoneOfInterface", device) if device else None
        zone = str(zone or self._bus("", "getDefaultZone") or "public")
        runtime = {tuple(port) for port in self._bus("zone", "getPorts", zone) or ()}
        files = [directory / f"{zone}.xml" for directory in FIREWALLD_ZONES]
        permanent = next((path.read_text(encoding="utf-8") for path in files if path.is_file()), "")
        opened = runtime & facts.zone_file_ports(permanent)
        return Guard("firewalld", zone, opened.issuperset(facts.firewalld_ports(ports)))

    def _bus(self, interface: str, method: str, argument: str | None = None) -> Any:
        path = "/" + FIREWALLD.replace(".", "/")
        name = f"{FIREWALLD}.{interface}" if interface else FIREWALLD
        signature = [] if argument is None else ["s", argument]
        reply = self.output("busctl", "--json=short", "call", FIREWALLD, path, name, method, *signature)
        return facts.bus_reply(reply or "")

    # -- what is restored at boot -------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep `callcenter-firewall watch` from putting back what is being changed."""
        STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (STATE_DIR / "lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def differing(self, files: dict[str, str]) -> dict[str, str]:
        """Return those of the saved files whose content is not the wanted one."""
        return {name: text for name, text in files.items() if read_text(STATE_DIR / name) != text}

    def save(self, files: Mapping[str, str]) -> None:
        """Replace saved files, each as a whole."""
        STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            new = STATE_DIR / f".{name}.new"
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(STATE_DIR / name)


def read_text(path: Path) -> str | None:
    """Return a file's text, None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
