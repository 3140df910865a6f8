"""Make the programs of a virtual environment start from the place that it is about to be moved to.

pip writes the place it works in into the first lines of every program; a place with a space or a quote in it
fits no such line, so programs there find their Python beside themselves. Run by lab/make-venv, with the
system's Python: standard library only.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

PLAIN = re.compile(r"[A-Za-z0-9_./+@-]{1,110}")
# Python takes these lines for a string and goes on; the shell replaces itself by Python.
BESIDE = b"#!/bin/sh\n'''exec' \"${0%/*}/python\" \"$0\" \"$@\"\n' '''\n"


def settled(program: bytes, place: str) -> bytes:
    """Return a program's text with the start that fits ``place``; anything but pip's stays as it is."""
    lines = program.split(b"\n", 3)
    if re.match(rb"#!.*/bin/python[0-9.]*$", lines[0]):
        rest = program.split(b"\n", 1)[1]
    elif lines[0] == b"#!/bin/sh" and len(lines) == 4 and lines[1].startswith(b"'''exec' "):
        rest = lines[3]
    else:
        return program
    start = f"#!{place}/bin/python\n".encode() if PLAIN.fullmatch(f"{place}/bin/python") else BESIDE
    return start + rest


def settle(made: Path, place: str) -> None:
    """Settle every program below ``made``, and the script that activates it."""
    for path in sorted((made / "bin").iterdir()):
        if path.is_symlink() or not path.is_file():
            continue
        before = path.read_bytes()
        after = settled(before, place)
        if path.name.startswith("activate"):
            after = after.replace(made.name.encode(), Path(place).name.encode())
        if path.name == "activate":  # venv of Python 3.11 trusts double quotes to hold any path
            quoted = f"VIRTUAL_ENV={shlex.quote(place)}".encode()
            lines = after.split(b"\n")
            after = b"\n".join(quoted if line.startswith(b"VIRTUAL_ENV=") else line for line in lines)
        if after != before:
            path.write_bytes(after)


if __name__ == "__main__":
    settle(Path(sys.argv[1]), sys.argv[2])
