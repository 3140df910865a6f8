"""What ``python -m lab`` does: bring the lab up, take it down, say how it is."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import containers, engine, images, keys, secrets
from lab.console import Console, LabError
from lab.hosts import (
    CLOUD_HOSTS,
    CLOUD_NETWORK,
    HOSTS,
    NETWORKS,
    PBX,
    SERVER_USER,
    SIP_NETWORK,
    Host,
    Network,
)
from lab.paths import CACHE_DIR, CLIENT_KEY, KNOWN_HOSTS, LOCK, ROOT
from lab.system import ensure_programs

_PROGRAMS = {"mmdebstrap": "mmdebstrap", "ssh": "openssh-client", "ssh-keygen": "openssh-client"}


def hosts(console: Console) -> None:
    """Make sure that the engine, the images, the networks, the hosts and their secrets exist."""
    _hosts(console, NETWORKS, HOSTS)


def cloud(console: Console) -> None:
    """Do the same with the server in a cloud: 1 GB of memory, a private address, behind a NAT."""
    _hosts(console, (SIP_NETWORK, CLOUD_NETWORK), CLOUD_HOSTS)


def _hosts(console: Console, networks: Sequence[Network], wanted: Sequence[Host]) -> None:
    with _one_at_a_time(console):
        engine.ensure_engine(console)
        client = engine.connect()
        ensure_programs(_PROGRAMS, console)
        keys.ensure_keys()
        images.ensure_images(client, console)
        containers.ensure_networks(client, console, networks)
        containers.ensure_hosts(client, console, wanted)
        added = secrets.ensure_vault()
        if added:
            console.say(f"Made passwords for {', '.join(added)}")


def up(console: Console) -> None:
    """Bring up the hosts, deploy to the server, place one call each way, and say what comes next."""
    hosts(console)
    console.say("Deploying: ansible-playbook site.yml")
    console.run(
        [_beside_python("ansible-playbook"), "site.yml", *(["-v"] if console.verbose else [])],
        "site",
        env={"ANSIBLE_FORCE_COLOR": "1" if console.verbose and sys.stdout.isatty() else "0"},
        progress=playbook_progress,
    )
    call(console)
    console.say("The lab is up.")
    print(_SUMMARY)


def playbook_progress(line: str) -> str | None:
    """What to say about a line of ansible-playbook's output: the task that begins, or the recap."""
    task = re.match(r"TASK \[(?P<name>.+)\] \*", line)
    if task:
        return f"  {task['name']}"
    recap = re.match(r"(?P<host>\S+)\s+: (?P<counts>ok=\d+.*)", line)
    if recap:
        return f"{recap['host']}: {' '.join(recap['counts'].split())}"
    return None


def call(console: Console) -> None:
    """Place one call from the carrier to a phone, and one from a phone to the carrier."""
    from lab import driver  # only needed here, and slow to import

    console.say("Calling in: carrier to extension")
    console.say(f"  {driver.place_inbound_call()}")
    console.say("Calling out: extension to carrier")
    console.say(f"  {driver.place_outbound_call()}")


def down(console: Console) -> None:
    """Remove the containers, networks, volumes and SSH keys of the lab; images and passwords stay."""
    if engine.is_present():
        _remove(console)
    console.say(
        "The lab is gone; its images and passwords stay for the next `make up` (`make clean` removes them)"
    )


def clean(console: Console) -> None:
    """Do what ``down`` does, remove images and passwords too, and stop an engine that the lab started."""
    if engine.is_present():
        _remove(console)
        for name in images.remove_images(engine.connect()):
            console.say(f"Removed image {name}")
    if secrets.remove_vault():
        console.say("Removed the lab's passwords")
    engine.stop_engine(console)
    console.say("Nothing of the lab is left; the virtual environment stays (rm -r .venv)")


def bench(console: Console) -> None:
    """Measure the budgets and print them as a table."""
    from lab import bench as budgets

    budgets.bench(console)


def ssh(_console: Console) -> None:
    """Replace this process by an SSH session on the server.

    Raises:
        LabError: there is no lab to log in to.
    """
    if not CLIENT_KEY.exists():
        raise LabError("no lab runs here: `make up` makes one")
    files = {"IdentityFile": CLIENT_KEY, "UserKnownHostsFile": KNOWN_HOSTS}
    options = [f"-o{name}={keys.ssh_word(path)}" for name, path in files.items()]
    os.execvp("ssh", ["ssh", *options, f"{SERVER_USER}@{PBX.address}"])


def _remove(console: Console) -> None:
    with _one_at_a_time(console):
        engine.ensure_engine(console)  # one that does not run keeps the lab on its disk
        for item in containers.remove_all(engine.connect()):
            console.say(f"Removed {item}")
        if CACHE_DIR.exists():
            shutil.rmtree(CACHE_DIR)


def status(_console: Console) -> None:
    """Print a table of the hosts."""
    for row in containers.survey(engine.connect()):
        print(f"{row.host.name:<18}{row.host.address:<16}{row.state:<10}{row.image:<26}{row.host.purpose}")


@contextmanager
def _one_at_a_time(console: Console) -> Iterator[None]:
    """Hold the lab's lock, so that two runs at the same time do not undo each other."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say("Waiting for another run that works on the lab")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _beside_python(program: str) -> str:
    """Path of a program of the virtual environment that runs us.

    Raises:
        LabError: it is not there.
    """
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        raise LabError(f"{program} is not beside {sys.executable}: run through `make`")
    return str(path)


_SUMMARY = f"""
  PBX       {PBX.address}   5060/udp, 5060/tcp, 10000-10100/udp
  log in    make ssh        ({SERVER_USER}@{PBX.address}; then: cd /opt/callcenter && docker compose ps)
  check     make smoke      every check of the troubleshooting guide
  test      make test       lint, unit tests and real calls
  next      edit inventory/lab/group_vars/pbx/model.yml and run `make up` again, or
            copy inventory/production for your own server: {ROOT.name}/README.md
  remove    make down
"""
