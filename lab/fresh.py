"""The lab as a scenario wants to find it, whatever a run that failed or was killed has left behind."""

from __future__ import annotations

import docker
import docker.errors

from lab import containers, engine, secrets
from lab.console import Console
from lab.paths import BLACKLIST

EMPTY_BLACKLIST = """\
---
# Sources whose packets are dropped: addresses, networks, or {address: ..., reason: ...}.
# By hand, or: ansible-playbook playbooks/blacklist.yml -e block=203.0.113.7 -e reason="..."
pbx_blacklist: []
"""
"""What the repository ships: nobody is listed in the lab."""


def refresh(console: Console) -> None:
    """Restart the hosts that run; put vault and block list of the lab's inventory back to their beginning.

    Processes and firewall rules of an earlier test end with the restart. Passwords stay, an overlap does not.

    Raises:
        LabError: another checkout's lab runs here, or the vault is not the lab's.
    """
    if secrets.forget_rotation():
        console.say("A rotation of passwords was under way in the lab's vault: forgotten")
    if not BLACKLIST.exists() or BLACKLIST.read_text(encoding="utf-8") != EMPTY_BLACKLIST:
        console.say("The lab's block list is empty again")
        BLACKLIST.write_text(EMPTY_BLACKLIST, encoding="utf-8")
    if not engine.is_present():
        return
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except docker.errors.DockerException:
        return  # no engine runs, so no host does
    containers.refuse_foreign_lab(client)
    for name in containers.restart_running(client):
        console.say(f"Restarted {name}")
