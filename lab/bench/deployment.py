"""Budgets of deploying: a run without changes, a container's start, a bare machine to the first call."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab.bench.measure import ROUNDS, Row, medians, on_server, ping, play, run, timed
from lab.console import Console
from lab.paths import ROOT


def no_change(console: Console) -> Row:
    """A `site.yml` that finds nothing to do, smoke included, against a play with one ping task."""
    console.say(f"No-change site.yml against a one-task ping play, {ROUNDS} rounds in turn")
    play("site.yml")
    pairs = [(timed(lambda: play("site.yml")), timed(ping)) for _ in range(ROUNDS)]
    return Row("no-change `site.yml`, smoke included", "one-task `ping` play", *medians(pairs), 4)


def container_start(console: Console) -> Row:
    """Starting a container with all of the PBX's ports published, against the same with none."""
    image = on_server("docker inspect -f '{{.Config.Image}}' callcenter-asterisk").strip()
    # The PBX holds the real ports, so the measured container publishes as many elsewhere.
    ports = "-p 15060:5060/udp -p 15060:5060/tcp -p 20000-20100:20000-20100/udp"
    console.say(f"Container start with 103 published ports against none, {ROUNDS} rounds in turn")

    def start(options: str) -> float:
        command = f"docker run --rm -d --name callcenter-bench --entrypoint sleep {options} {image} 60"
        return float(
            on_server(
                f"s=$(date +%s.%N); {command} >/dev/null; e=$(date +%s.%N); "
                'docker rm -f callcenter-bench >/dev/null; awk "BEGIN {print $e-$s}"'
            )
        )

    start(""), start(ports)
    pairs = [(start(ports), start("")) for _ in range(ROUNDS)]
    proxies = on_server("pgrep -c docker-proxy; true").strip()
    note = f", {proxies} docker-proxy processes"
    return Row("container start, all ports published", "the same image, no ports", *medians(pairs), 4, note)


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
        run(["make", "clean"])
        run(["git", "clone", "--quiet", str(ROOT), str(clone)])
        measured = timed(lambda: run(["make", "up"], cwd=clone))
        run(["make", "down"], cwd=clone)
    console.say("Bringing this checkout's lab back")
    run(["make", "up"])
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
            run([sys.executable, "-m", "venv", str(venv)]),
            run([pip, "install", "-q", "--require-hashes", "-r", str(ROOT / "requirements.lock")]),
        ),
        "Debian base image": lambda: (
            run(["sh", "-c", trixie]),
            run(["docker", "import", f"{scratch}/trixie.tar", "lab-by-hand:base"]),
        ),
        "programs of the SIP hosts": lambda: _install("lab-by-hand:base", f"{apt} update && {apt}", sip),
        "programs of the server": lambda: _install("lab-by-hand:base", f"{apt} update && {apt}", server),
        "Docker and the firewall's programs, on a bare server": lambda: _install(
            "lab-by-hand:base", f"{apt} update && {apt}", host_packages
        ),
        "Asterisk and its base": lambda: run(["sh", "-c", asterisk.replace("/tmp", str(scratch))]),
    }
    total = 0.0
    for name, step in steps.items():
        seconds = timed(step)
        console.say(f"  {name}: {seconds:.0f} s")
        total += seconds
    run(["docker", "rmi", "lab-by-hand:base"])
    return total


def _dockerfile_packages(kind: str) -> str:
    """The packages that a lab image installs, read from its Dockerfile."""
    text = (ROOT / "lab" / "images" / kind / "Dockerfile").read_text()
    return text.split("--no-install-recommends", 1)[1].split("&&", 1)[0].replace("\\", " ").strip()


def _install(image: str, apt: str, packages: str) -> None:
    """Install packages in a throwaway container."""
    command = f"DEBIAN_FRONTEND=noninteractive {apt} install -y --no-install-recommends {packages}"
    run(["docker", "run", "--rm", image, "sh", "-c", command])
