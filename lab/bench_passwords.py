"""What a PBX of a thousand extensions costs: adding one, and rotating every password while a call is up."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from lab.console import Console
from lab.driver.held import held_call
from lab.driver.parties import parties
from lab.paths import INVENTORY_DIR, ROOT

# Two levels below the root, as inventory/lab is: hosts.yml finds the lab's keys from there.
_SITE = ROOT / ".cache" / "bench"
_MODEL = _SITE / "group_vars" / "pbx" / "model.yml"
_FIRST, _COUNT = 2000, 1000

Playbook = Callable[..., None]


class Thousand:
    """A site like the lab's with a thousand extensions more, for the time of a with block.

    :param play: runs a playbook with arguments, or fails
    """

    def __init__(self, console: Console, play: Playbook) -> None:
        self._console = console
        self._play = play
        self._stack = ExitStack()

    def __enter__(self) -> Thousand:
        self._console.say(f"Deploying a PBX of {_COUNT} extensions")
        shutil.rmtree(_SITE, ignore_errors=True)
        shutil.copytree(INVENTORY_DIR, _SITE)
        self.add(range(_FIRST, _FIRST + _COUNT))
        self.play("playbooks/secrets.yml")
        self.play("site.yml")
        # It stays registered, whatever becomes of its password.
        self._lab = self._stack.enter_context(parties())
        self._lab.phone_100.switch_on()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._stack.close()
        self._console.say("Deploying the lab's own configuration again")
        self._play("site.yml")
        shutil.rmtree(_SITE)

    def play(self, playbook: str, *arguments: str) -> None:
        """Run a playbook on this site."""
        self._play(playbook, "--inventory", str(_SITE), *arguments)

    def add(self, numbers: range) -> None:
        """Add extensions to the model."""
        model = _read(_MODEL)
        model["pbx_extensions"] += [
            {"number": str(number), "name": f"Agent {number}", "context": "internal"} for number in numbers
        ]
        _MODEL.write_text(yaml.safe_dump(model), encoding="utf-8")

    def add_one(self) -> None:
        """Add the next extension, password included: all that comes before the run that is measured."""
        taken = len(_read(_MODEL)["pbx_extensions"])
        self.add(range(_FIRST + _COUNT + taken, _FIRST + _COUNT + taken + 1))
        self.play("playbooks/secrets.yml")

    def rotate_everything(self) -> float:
        """Rotate all passwords while a call is up and return the seconds; fail when the call drops."""
        with held_call(self._lab) as held:
            started = time.monotonic()
            self.play("playbooks/rotate_passwords.yml", "-e", "rotate=all")
            seconds = time.monotonic() - started
        held.assert_nothing_was_lost()
        return seconds


def _read(path: Path) -> dict[str, Any]:
    content: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return dict(content)
