"""`lab/make-venv`, as `make` runs it: a virtual environment with nothing but pip in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.paths import ROOT
from lab.settle_venv import BESIDE, settled

AWKWARD = """call center/x y's "50%" #1 $7 é"""


class Checkout:
    """A checkout with an empty lock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "lab").mkdir(parents=True)
        for name in ("make-venv", "settle_venv.py"):
            shutil.copy(ROOT / "lab" / name, directory / "lab")
        self.lock("")

    def lock(self, text: str) -> None:
        (self.directory / "requirements.lock").write_text(text)

    def make(self, activated: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run it, with a virtual environment activated if one is given."""
        path = os.pathsep.join([*([str(activated / "bin")] if activated else []), os.environ["PATH"]])
        return subprocess.run(
            [str(self.directory / "lab" / "make-venv")],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    def pip(self) -> str:
        """What the environment's own program says of itself."""
        done = subprocess.run(
            [str(self.directory / ".venv/bin/pip"), "--version"], capture_output=True, text=True
        )
        return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["plain", AWKWARD])
def test_made_again_from_within_itself_and_kept_when_that_fails(tmp_path: Path, name: str) -> None:
    checkout = Checkout(tmp_path / name)
    venv = checkout.directory / ".venv"
    made = checkout.make()
    assert made.returncode == 0, made.stdout + made.stderr
    assert str(venv / "lib") in checkout.pip()
    activated = subprocess.run(
        ["bash", "-c", '. "$1/bin/activate" && command -v pip', "-", str(venv)],
        capture_output=True,
        text=True,
    )
    assert activated.stdout.strip() == str(venv / "bin/pip")
    assert checkout.make(venv).stdout == ""

    link = tmp_path / "link"
    link.symlink_to(checkout.directory)
    checkout.lock("# changed\n")
    (venv / "old").touch()
    again = checkout.make(link / ".venv")
    assert again.returncode == 0, again.stdout + again.stderr
    assert not (venv / "old").exists()
    assert str(venv / "lib") in checkout.pip()
    assert Path(os.path.realpath(venv / "bin/python")).parent != venv / "bin"

    checkout.lock("no-such-package==1 --hash=sha256:0\n")
    (venv / "old").touch()
    failed = checkout.make(venv)
    assert failed.returncode != 0
    assert "could not make .venv, and left what there was" in failed.stderr
    assert (venv / "old").exists() and str(venv / "lib") in checkout.pip()

    checkout.lock("# changed\n")
    moved = Checkout.__new__(Checkout)
    moved.directory = checkout.directory.rename(tmp_path / "moved")
    anew = moved.make(moved.directory / ".venv")
    assert anew.returncode == 0, anew.stdout + anew.stderr
    assert str(moved.directory / ".venv/lib") in moved.pip()


def test_a_path_that_no_list_of_paths_can_hold_is_refused(tmp_path: Path) -> None:
    refused = Checkout(tmp_path / "a:b").make()
    assert refused.returncode != 0
    assert "has a colon or a comma" in refused.stderr


@pytest.mark.parametrize(
    ("program", "place", "expected"),
    [
        pytest.param(
            b"#!/a/.venv.new/bin/python3\nx\n", "/a/.venv", b"#!/a/.venv/bin/python\nx\n", id="plain"
        ),
        pytest.param(b"#!/a/.venv.new/bin/python3.11\nx\n", "/a b/.venv", BESIDE + b"x\n", id="to-a-space"),
        pytest.param(
            b"#!/bin/sh\n'''exec' \"/a b/.venv.new/bin/python\" \"$0\" \"$@\"\n' '''\nx\ny\n",
            "/a b/.venv",
            BESIDE + b"x\ny\n",
            id="pips-own-way",
        ),
        pytest.param(b"#!/bin/sh\necho\n", "/a/.venv", b"#!/bin/sh\necho\n", id="a-shell-script"),
        pytest.param(b"\x7fELF\n\n\n\n", "/a/.venv", b"\x7fELF\n\n\n\n", id="a-binary"),
    ],
)
def test_start_of_a_program(program: bytes, place: str, expected: bytes) -> None:
    assert settled(program, place) == expected
