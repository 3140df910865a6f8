"""``make bench``: the project's budgets as ratios measured in one run, with the figures beside them.

Machines are shared and noisy, so nothing here passes or fails a test: medians of runs taken in turn,
and the ratio of the medians.
"""

from __future__ import annotations

import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bench_passwords import Thousand
from lab.console import Console, LabError
from lab.hosts import PBX
from lab.paths import CLIENT_KEY, KNOWN_HOSTS, ROOT

_ROUNDS = 5
_FEW_ROUNDS = 3
_PLAY = "- hosts: pbx\n  gather_facts: false\n  become: true\n  tasks: [{ansible.builtin.ping: {}}]\n"


@dataclass(frozen=True)
class Row:
    """One budget: seconds of the measured thing and of what it is measured against."""

    what: str
    against: str
    seconds: float
    base_seconds: float
    at_most: float
    note: str = ""

    def __str__(self) -> str:
        ratio = self.seconds / self.base_seconds
        verdict = "met" if ratio <= self.at_most else "NOT met"
        return (
            f"| {self.what} | {self.against} | {self.seconds:.2f} s / {self.base_seconds:.2f} s "
            f"| {ratio:.2f}x | {self.at_most:g}x | {verdict}{self.note} |"
        )


def bench(console: Console) -> None:
    """Measure every budget and print the table.

    Raises:
        LabError: a measured command failed.
    """
    rows = [no_change(console), container_start(console), *thousand(console), first_call(console)]
    print("\n| what | against | seconds | ratio | at most | |\n| --- | --- | --- | --- | --- | --- |")
    print("\n".join(map(str, rows)))


def no_change(console: Console) -> Row:
    """A `site.yml` that finds nothing to do, smoke included, against a play with one ping task."""
    with tempfile.TemporaryDirectory() as scratch:
        ping = Path(scratch) / "ping.yml"
        ping.write_text(_PLAY)
        console.say(f"No-change site.yml against a one-task ping play, {_ROUNDS} rounds in turn")
        _site()
        pairs = [
            (_timed(_site), _timed(lambda: _run([_program("ansible-playbook"), str(ping)])))
            for _ in range(_ROUNDS)
        ]
    return Row("no-change `site.yml`, smoke included", "one-task `ping` play", *_medians(pairs), 4)


def container_start(console: Console) -> Row:
    """Starting a container with all of the PBX's ports published, against the same with none."""
    image = _on_server("docker inspect -f '{{.Config.Image}}' callcenter-asterisk").strip()
    # The PBX holds the real ports, so the measured container publishes as many elsewhere.
    ports = "-p 15060:5060/udp -p 15060:5060/tcp -p 20000-20100:20000-20100/udp"
    console.say(f"Container start with 103 published ports against none, {_ROUNDS} rounds in turn")

    def start(options: str) -> float:
        command = f"docker run --rm -d --name callcenter-bench --entrypoint sleep {options} {image} 60"
        return float(
            _on_server(
                f"s=$(date +%s.%N); {command} >/dev/null; e=$(date +%s.%N); "
                'docker rm -f callcenter-bench >/dev/null; awk "BEGIN {print $e-$s}"'
            )
        )

    start(""), start(ports)
    pairs = [(start(ports), start("")) for _ in range(_ROUNDS)]
    proxies = _on_server("pgrep -c docker-proxy; true").strip()
    note = f", {proxies} docker-proxy processes"
    return Row("container start, all ports published", "the same image, no ports", *_medians(pairs), 4, note)


def thousand(console: Console) -> list[Row]:
    """With a thousand extensions: one more, and all passwords rotated, against finding nothing to do."""
    with Thousand(console, _play) as site:
        console.say(f"No change, an extension more, all passwords rotated: {_FEW_ROUNDS} rounds")
        seconds: dict[str, list[float]] = {"none": [], "one more": [], "rotation": []}
        for _ in range(_FEW_ROUNDS):
            site.play("site.yml")
            seconds["none"].append(_timed(lambda: site.play("site.yml")))
            site.add_one()
            seconds["one more"].append(_timed(lambda: site.play("site.yml")))
            seconds["rotation"].append(site.rotate_everything())
    median = {name: statistics.median(found) for name, found in seconds.items()}
    against = "no-change `site.yml` of 1,000 extensions"
    return [
        Row("adding an extension to 1,000", against, median["one more"], median["none"], 2),
        Row(
            "rotating every password of 1,000",
            against,
            median["rotation"],
            median["none"],
            3,
            ", 0 calls dropped",
        ),
    ]


def first_call(console: Console) -> Row:
    """A bare machine to the first call, against the sum of its downloads and installs run by hand.

    The lab, its images and a fresh clone's virtual environment are made from nothing. The Docker
    engine of this machine is left alone, on both sides of the ratio.
    """
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "clone"
        console.say("By hand: the downloads and installs alone")
        by_hand = _by_hand(Path(scratch), console)
        console.say("From nothing: `make clean`, a fresh clone, `make up`")
        _run(["make", "clean"])
        _run(["git", "clone", "--quiet", str(ROOT), str(clone)])
        measured = _timed(lambda: _run(["make", "up"], cwd=clone))
        _run(["make", "down"], cwd=clone)
    console.say("Bringing this checkout's lab back")
    _run(["make", "up"])
    return Row("bare machine to first call", "its downloads and installs by hand", measured, by_hand, 1.3)


def _by_hand(scratch: Path, console: Console) -> float:
    """Seconds of every download and install that `make up` cannot do without."""
    venv = scratch / "venv"
    pip = str(venv / "bin" / "pip")
    host_packages = "docker.io docker-cli docker-compose iptables ipset conntrack logrotate mmdebstrap"
    apt = "apt-get -o Acquire::Check-Valid-Until=false"
    aptopt = "--aptopt='Acquire::Check-Valid-Until \"false\"'"
    asterisk = f"mmdebstrap --variant=minbase {aptopt} --include=asterisk forky /tmp/by-hand.tar"
    sip = _dockerfile_packages("sip")
    server = _dockerfile_packages("server")
    trixie = f"mmdebstrap --variant=minbase {aptopt} trixie {scratch}/trixie.tar"
    steps: dict[str, Callable[[], object]] = {
        "virtual environment": lambda: (
            _run([sys.executable, "-m", "venv", str(venv)]),
            _run([pip, "install", "-q", "--require-hashes", "-r", str(ROOT / "requirements.lock")]),
        ),
        "Debian base image": lambda: (
            _run(["sh", "-c", trixie]),
            _run(["docker", "import", f"{scratch}/trixie.tar", "lab-by-hand:base"]),
        ),
        "programs of the SIP hosts": lambda: _install("lab-by-hand:base", f"{apt} update && {apt}", sip),
        "programs of the server": lambda: _install("lab-by-hand:base", f"{apt} update && {apt}", server),
        "Docker and the firewall's programs, on a bare server": lambda: _install(
            "lab-by-hand:base", f"{apt} update && {apt}", host_packages
        ),
        "Asterisk and its base": lambda: _run(["sh", "-c", asterisk.replace("/tmp", str(scratch))]),
    }
    total = 0.0
    for name, step in steps.items():
        seconds = _timed(step)
        console.say(f"  {name}: {seconds:.0f} s")
        total += seconds
    _run(["docker", "rmi", "lab-by-hand:base"])
    return total


def _dockerfile_packages(kind: str) -> str:
    """The packages that a lab image installs, read from its Dockerfile."""
    text = (ROOT / "lab" / "images" / kind / "Dockerfile").read_text()
    return text.split("--no-install-recommends", 1)[1].split("&&", 1)[0].replace("\\", " ").strip()


def _install(image: str, apt: str, packages: str) -> None:
    """Install packages in a throwaway container."""
    command = f"DEBIAN_FRONTEND=noninteractive {apt} install -y --no-install-recommends {packages}"
    _run(["docker", "run", "--rm", image, "sh", "-c", command])


def _site() -> None:
    _play("site.yml")


def _play(playbook: str, *arguments: str) -> None:
    _run([_program("ansible-playbook"), playbook, *arguments])


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _on_server(command: str) -> str:
    """Run a shell command as root on the PBX's server and return what it printed."""
    ssh = ["ssh", "-i", str(CLIENT_KEY), "-o", f"UserKnownHostsFile={KNOWN_HOSTS}", f"deploy@{PBX.address}"]
    return _run([*ssh, f"sudo sh -c {shlex.quote(command)}"])


def _run(command: Sequence[str], cwd: Path = ROOT) -> str:
    """Run a command and return its output.

    Raises:
        LabError: its exit status is not 0.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)
