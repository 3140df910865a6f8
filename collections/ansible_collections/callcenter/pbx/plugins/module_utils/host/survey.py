# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Survey a host: packages, files, units and Docker. Reads only; standard library only."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.host import readers as host_state
from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import ENVIRONMENT, SYSTEM_PATH

DAEMON_CONFIG = Path("/etc/docker/daemon.json")
DOCKER_SERVICE = "docker.service"
COMPOSE_PLUGINS = (
    "/usr/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
    "/usr/local/libexec/docker/cli-plugins/docker-compose",
    "/usr/local/lib/docker/cli-plugins/docker-compose",
)


_UNEXPECTED = (
    "The Docker engine answers but not as expected: {}. "
    "See `journalctl -u docker` on the host, and restart it with `systemctl restart docker`."
)


class EngineFault(Exception):
    """The engine cannot be asked; the text names the fault and the remedy."""


def output_of(argv: Sequence[str]) -> str:
    """Return what a command prints, '' when it does not exist.

    The exit code is no verdict here: dpkg-query fails when any one of its packages is unknown.
    """
    try:
        result = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=30
        )
    except FileNotFoundError:
        return ""
    return result.stdout


def survey_file(path: str) -> dict[str, Any]:
    """Describe one path; a file that cannot be read has no checksum."""
    try:
        status = os.lstat(path)
    except OSError:
        return {"exists": False, "sha256": None, "mode": None, "uid": None, "gid": None, "link": None}
    return {
        "exists": True,
        "sha256": checksum(path),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "link": str(Path(path).readlink()) if stat.S_ISLNK(status.st_mode) else None,
    }


def checksum(path: str) -> str | None:
    """Return the SHA-256 (hexadecimal) of a regular file, else None."""
    if not Path(path).is_file():
        return None
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def survey_os() -> dict[str, str]:
    """Identify the system; every field but `arch` is '' without an os-release file."""
    path = Path("/etc/os-release")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {**host_state.parse_os_release(text), "arch": platform.machine()}


def survey_packages(names: Sequence[str]) -> dict[str, str | None]:
    """Ask dpkg once about all packages."""
    if not names:
        return {}
    layout = "--showformat=${Package}\t${db:Status-Status}\t${Version}\n"
    return host_state.parse_packages(output_of(["dpkg-query", "--show", layout, "--", *names]), names)


def survey_units(names: Sequence[str]) -> dict[str, dict[str, bool]]:
    """Ask systemd once about all units."""
    if not names:
        return {}
    command = ["systemctl", "show", "--property=ActiveState,UnitFileState", "--", *names]
    return host_state.parse_units(output_of(command), names)


def survey_docker(images: Sequence[str], containers: Sequence[str], may_connect: bool) -> dict[str, Any]:
    """Describe the engine and what it holds; `may_connect` is false when it is known to be down."""
    daemon_config, daemon_config_error = read_daemon_config()
    docker: dict[str, Any] = {
        "installed": shutil.which("dockerd", path=SYSTEM_PATH) is not None,
        "running": False,
        "compose": shutil.which("docker", path=SYSTEM_PATH) is not None
        and any(os.access(plugin, os.X_OK) for plugin in COMPOSE_PLUGINS),
        "version": None,
        "live_restore": False,
        "firewall_backend": host_state.firewall_backend(None, daemon_config),
        "daemon_config": daemon_config,
        "daemon_config_error": daemon_config_error,
        "images": {reference: host_state.image_view(None) for reference in images},
        "containers": {name: host_state.container_view(None) for name in containers},
    }
    if may_connect:
        ask_engine(docker, images, containers)
    return docker


def ask_engine(docker: dict[str, Any], images: Sequence[str], containers: Sequence[str]) -> None:
    """Add what the engine says of itself and of what it holds.

    :raises EngineFault: it answers, but not as expected
    """
    # Loaded by those who ask alone: a fifth of the time of a survey that does not.
    from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
        DockerEngine,
        DockerError,
    )

    engine = DockerEngine(timeout=15)
    if not engine.available():
        return
    try:
        info = engine.get("/info")
        docker["running"] = True
        docker["version"] = info.get("ServerVersion")
        docker["live_restore"] = bool(info.get("LiveRestoreEnabled"))
        docker["firewall_backend"] = host_state.firewall_backend(info, docker["daemon_config"])
        docker["images"] = {one: host_state.image_view(engine.image(one)) for one in images}
        docker["containers"] = {one: host_state.container_view(engine.container(one)) for one in containers}
    except DockerError as error:
        raise EngineFault(_UNEXPECTED.format(error)) from error


def read_daemon_config() -> tuple[dict[str, Any], str | None]:
    """Return daemon.json as (mapping, error), an empty mapping when the file does not exist."""
    try:
        return host_state.parse_daemon_config(DAEMON_CONFIG.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, None
    except (OSError, UnicodeDecodeError) as error:
        return {}, str(error)


def survey(
    packages: Sequence[str] = (),
    files: Sequence[str] = (),
    units: Sequence[str] = (),
    docker: bool = False,
    images: Sequence[str] = (),
    containers: Sequence[str] = (),
    needs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the result of the module `host_state`, whose options these are."""
    wants_docker = bool(docker or images or containers)
    found_units = survey_units([*units, *([DOCKER_SERVICE] if wants_docker else [])])
    # Connecting to the socket of a stopped engine would make systemd start it.
    without_systemd = not Path("/run/systemd/system").is_dir()
    may_connect = wants_docker and (without_systemd or found_units[DOCKER_SERVICE]["active"])
    state: dict[str, Any] = {
        "os": survey_os(),
        "packages": survey_packages(packages),
        "files": {path: survey_file(path) for path in files},
        "units": {name: found_units[name] for name in units},
    }
    try:
        state["docker"] = survey_docker(images, containers, may_connect)
        if needs:
            state["obstacles"], state["package_lock"] = survey_readiness(needs, state["docker"])
    except EngineFault as error:
        return {"changed": False, "failed": True, "msg": str(error)}
    return {"changed": False, "state": state}


def survey_readiness(needs: Mapping[str, Any], docker: Mapping[str, Any]) -> tuple[list[str], str | None]:
    """Return what keeps a container from being put here, and who is installing packages.

    A host on which it runs has room for it: nothing is looked at there.

    :raises EngineFault: the engine answers, but not as expected
    """
    # Loaded by those who ask alone.
    from ansible_collections.callcenter.pbx.plugins.module_utils.host import readiness
    from ansible_collections.callcenter.pbx.plugins.module_utils.host.origin import ansible_source

    own = needs.get("container") or ""
    if docker["containers"].get(own, {}).get("running"):
        return [], readiness.package_lock()
    published: dict[str, str] = {}
    networks = readiness.docker_networks(docker["daemon_config"])
    if docker["running"]:
        from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerError

        try:
            networks, published = readiness.ask_engine(own)
        except DockerError as error:
            raise EngineFault(_UNEXPECTED.format(error)) from error
    elif needs.get("daemon_config"):
        networks = readiness.docker_networks({**docker["daemon_config"], **needs["daemon_config"]})
    found = readiness.faults(needs, networks, published, ansible_source())
    return found, readiness.package_lock()
