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
  needs:
    description:
      - What a container that is to come needs - C(ports) (V(10000-10100/udp)), C(memory_mib), C(disk_mib) by
        path, C(daemon_config) that the engine is to get, the C(container) whose own ports are not in the way.
      - Nothing is looked at where that container runs. It must be one of O(containers).
    type: dict
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
    obstacles:
      description: What is in the way of O(needs), each with the remedy; only where they are given.
      type: list
    package_lock:
      description: Who is installing packages just now, null when nobody is; only with O(needs).
      type: str
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.host.survey import survey

STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
ARGUMENTS: dict[str, Any] = {
    "packages": STRINGS,
    "files": {"type": "list", "elements": "path", "default": []},
    "units": STRINGS,
    "docker": {"type": "bool", "default": False},
    "images": STRINGS,
    "containers": STRINGS,
    "needs": {"type": "dict"},
}


def main() -> None:
    """Entry point where the action plugin cannot do it faster."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = survey(**module.params)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
