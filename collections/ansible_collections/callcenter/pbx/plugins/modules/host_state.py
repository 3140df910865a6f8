#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Survey a host in one call, so that a role can decide once what there is to do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: Survey packages, files, units and Docker of a host in one call
description:
  - Reads the state a deployment decides on and changes nothing.
  - One process replaces fact gathering and a task per question.
  - What the host does not have (dpkg, systemd, Docker) is reported as absent; it is no error.
  - Docker is asked through its unix socket, and only when its service runs, since asking would start it.
options:
  packages:
    description: Debian packages whose installed version is wanted.
    type: list
    elements: str
    default: []
  files:
    description: Absolute paths of files whose kind, ownership and checksum are wanted.
    type: list
    elements: path
    default: []
  units:
    description: Systemd units, with their suffix, whose state is wanted.
    type: list
    elements: str
    default: []
  docker:
    description: Whether to survey the Docker engine. Implied by O(images) and O(containers).
    type: bool
    default: false
  images:
    description: References of the images to look for.
    type: list
    elements: str
    default: []
  containers:
    description: Names of the containers to look for.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Reads only; identical in check mode.
    support: full
  diff_mode:
    description: There is never a difference to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: Survey the host
  callcenter.pbx.host_state:
    packages: [docker.io]
    files: [/etc/docker/daemon.json]
    units: [docker.service]
    docker: true
  register: survey

- name: Install Docker
  ansible.builtin.apt:
    name: docker.io
  when: survey.state.packages['docker.io'] is none
"""

RETURN = r"""
state:
  description: What was asked for.
  returned: always
  type: dict
  contains:
    os:
      description: Identity of the operating system and machine.
      type: dict
      sample: {id: debian, version_id: "13", pretty_name: Debian GNU/Linux 13 (trixie), arch: x86_64}
    packages:
      description: Installed version by package name, null when not installed.
      type: dict
      sample: {docker.io: 26.1.5+dfsg1-9, ufw: null}
    files:
      description:
        - By path. A symbolic link is not followed for C(mode), C(uid) and C(gid); C(link) is its target.
        - C(sha256) is that of the regular file at the path or behind the link, else null.
      type: dict
      sample:
        /etc/docker/daemon.json: {exists: true, sha256: 44136f…, mode: "0644", uid: 0, gid: 0, link: null}
    units:
      description: By unit, false for units that do not exist.
      type: dict
      sample: {docker.service: {active: true, enabled: true}}
    docker:
      description: The engine; every field false, null or empty when there is none or it was not asked for.
      type: dict
      contains:
        installed:
          description: Whether the host has a Docker daemon.
          type: bool
        running:
          description: Whether the engine answers.
          type: bool
        compose:
          description: Whether C(docker compose) (version 2) is there.
          type: bool
        version:
          description: Version of the running engine.
          type: str
        live_restore:
          description: Whether containers outlive a restart of the running engine.
          type: bool
        firewall_backend:
          description: V(iptables) or V(nftables); null when no engine answers and nothing is configured.
          type: str
        daemon_config:
          description: The parsed C(/etc/docker/daemon.json), empty without the file.
          type: dict
        daemon_config_error:
          description: What is wrong with C(/etc/docker/daemon.json), null when nothing is.
          type: str
        images:
          description: By reference. C(size) is in bytes.
          type: dict
          sample: {"app:1": {present: true, id: "sha256:0f3…", size: 52428800, labels: {}}}
        containers:
          description: By name. C(health) is Docker's word, null without a health check.
          type: dict
          sample:
            app:
              exists: true
              running: true
              health: healthy
              image: "app:1"
              image_id: "sha256:0f3…"
              labels: {}
              started_at: "2026-01-01T00:00:00.0Z"
"""

import hashlib
import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils import host_state
from ansible_collections.callcenter.pbx.plugins.module_utils.docker_engine import DockerEngine, DockerError

DAEMON_CONFIG = Path("/etc/docker/daemon.json")
DOCKER_SERVICE = "docker.service"
COMPOSE_PLUGINS = (
    "/usr/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
    "/usr/local/libexec/docker/cli-plugins/docker-compose",
    "/usr/local/lib/docker/cli-plugins/docker-compose",
)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def output_of(argv: Sequence[str]) -> str:
    """Return what a command prints, '' when it does not exist.

    The exit code is no verdict here: dpkg-query fails when any one of its packages is unknown.
    """
    environment = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"}
    try:
        result = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=environment, timeout=30
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
    engine = DockerEngine(timeout=15)
    if not may_connect or not engine.available():
        return docker
    info = engine.get("/info")
    docker["running"] = True
    docker["version"] = info.get("ServerVersion")
    docker["live_restore"] = bool(info.get("LiveRestoreEnabled"))
    docker["firewall_backend"] = host_state.firewall_backend(info, daemon_config)
    docker["images"] = {reference: host_state.image_view(engine.image(reference)) for reference in images}
    docker["containers"] = {name: host_state.container_view(engine.container(name)) for name in containers}
    return docker


def read_daemon_config() -> tuple[dict[str, Any], str | None]:
    """Return daemon.json as (mapping, error), an empty mapping when the file does not exist."""
    try:
        return host_state.parse_daemon_config(DAEMON_CONFIG.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, None
    except (OSError, UnicodeDecodeError) as error:
        return {}, str(error)


def main() -> None:
    """Entry point."""
    strings = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "packages": strings,
            "files": {"type": "list", "elements": "path", "default": []},
            "units": strings,
            "docker": {"type": "bool", "default": False},
            "images": strings,
            "containers": strings,
        },
        supports_check_mode=True,
    )
    wanted = module.params
    wants_docker = bool(wanted["docker"] or wanted["images"] or wanted["containers"])
    units = survey_units([*wanted["units"], *([DOCKER_SERVICE] if wants_docker else [])])
    # Connecting to the socket of a stopped engine would make systemd start it.
    without_systemd = not Path("/run/systemd/system").is_dir()
    may_connect = wants_docker and (without_systemd or units[DOCKER_SERVICE]["active"])
    state: dict[str, Any] = {
        "os": survey_os(),
        "packages": survey_packages(wanted["packages"]),
        "files": {path: survey_file(path) for path in wanted["files"]},
        "units": {name: units[name] for name in wanted["units"]},
    }
    try:
        state["docker"] = survey_docker(wanted["images"], wanted["containers"], may_connect)
    except DockerError as error:
        module.fail_json(
            msg=f"The Docker engine answers but not as expected: {error}. "
            "See `journalctl -u docker` on the host, and restart it with `systemctl restart docker`."
        )
    module.exit_json(changed=False, state=state)


if __name__ == "__main__":
    main()
