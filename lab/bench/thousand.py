"""What a PBX of a thousand extensions costs: adding one, and rotating every password while a call is up."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from lab.bench.measure import Row, program, run, timed
from lab.console import Console
from lab.driver.held import held_call
from lab.driver.parties import parties
from lab.paths import INVENTORY_DIR, ROOT

# Two levels below the root, as inventory/lab is: hosts.yml finds the lab's keys from there.
_SITE = ROOT / ".cache" / "bench"
_MODEL = _SITE / "group_vars" / "pbx" / "model.yml"
_FIRST, _COUNT = 2000, 1000
_ROUNDS = 3


def rows(console: Console) -> list[Row]:
    """With a thousand extensions: one more, and all passwords rotated, against finding nothing to do."""
    with Thousand(console) as site:
        console.say(f"No change, an extension more, all passwords rotated: {_ROUNDS} rounds")
        seconds: dict[str, list[float]] = {"none": [], "one more": [], "rotation": []}
        for _ in range(_ROUNDS):
            site.play("site.yml")
            seconds["none"].append(timed(lambda: site.play("site.yml")))
            site.add_one()
            seconds["one more"].append(timed(lambda: site.play("site.yml")))
            seconds["rotation"].append(site.rotate_everything())
    none, one_more, rotation = (statistics.median(found) for found in seconds.values())
    against = "no-change `site.yml` of 1,000 extensions"
    return [
        Row("adding an extension to 1,000", against, one_more, none, 2),
        Row("rotating every password of 1,000", against, rotation, none, 3, ", 0 calls dropped"),
    ]


class Thousand:
    """A site like the lab's with a thousand extensions more, for the time of a with block."""

    def __init__(self, console: Console) -> None:
        self._console = console
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
        run([program("ansible-playbook"), "site.yml"])
        shutil.rmtree(_SITE)

    def play(self, playbook: str, *arguments: str) -> None:
        """Run a playbook on this site."""
        run([program("ansible-playbook"), playbook, "--inventory", str(_SITE), *arguments])

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
            seconds = timed(lambda: self.play("playbooks/rotate_passwords.yml", "-e", "rotate=all"))
        held.assert_nothing_was_lost()
        return seconds


def _read(path: Path) -> dict[str, Any]:
    content: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return dict(content)
