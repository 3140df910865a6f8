"""Command line of the lab: ``python -m lab COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import docker.errors

from lab import engine, fresh, up
from lab.console import Console, LabError
from lab.system import add_system_directories

COMMANDS: dict[str, tuple[Callable[[Console], None], str]] = {
    "up": (up.up, "hosts, then site.yml, then one call each way"),
    "hosts": (up.hosts, "Docker engine, images, networks, hosts, keys and passwords"),
    "cloud": (up.cloud, "the same with the server in a cloud, behind a NAT"),
    "refresh": (fresh.refresh, "undo what an earlier test left: processes, rules, overlaps, listed sources"),
    "call": (up.call, "one call each way through a deployed PBX"),
    "status": (up.status, "table of the hosts"),
    "down": (up.down, "remove the lab"),
    "clean": (up.clean, "remove the lab and its images"),
    "ssh": (up.ssh, "log in to the server"),
    "bench": (up.bench, "the budgets as a table of ratios"),
    "engine": (engine.ensure_engine, "only make sure that a Docker engine answers"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="stream the output of every step")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, text) in COMMANDS.items():
        subparsers.add_parser(name, help=text)
    options = parser.parse_args(arguments)
    add_system_directories()
    try:
        COMMANDS[options.command][0](Console(verbose=options.verbose))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except docker.errors.DockerException as error:
        print(f"lab: the Docker engine refused: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
