"""A rotation killed at any of its steps: the next run leads to a vault and a server that agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, kill_playbook_at, run_playbook
from lab.driver.vault import passwords, vault_content
from lab.paths import VAULT

ROTATE = ("playbooks/rotate_passwords.yml", "-e", "rotate=101")
JOURNAL = VAULT.with_name("vault.yml.rotation")

# Killed as this task begins, so somewhere between the end of the one before and its own.
STEPS = {
    "before-the-vault-is-written": "Write new passwords into the vault",
    "vault-written": "Load the vault as it is now",
    "before-the-release": "Release the configuration",
    "deployed": "Prove which passwords the server accepts",
    "proven": "Settle the rotation",
}


@dataclass(frozen=True)
class Interrupted:
    """A rotation of 101 that was killed, and the next run."""

    before: dict[str, str]
    killed: dict[str, str]
    next_run: PlaybookResult
    after: dict[str, str]


def wait_for_orphans(lab: Parties) -> None:
    """Let a module that outlived its playbook come to its end on the server."""
    lab.server.wait_until(
        lambda: "asterisk_release" not in lab.server.run(["ps", "-eo", "args"]), "the end of the module", 120
    )


@pytest.fixture(scope="module", params=STEPS.values(), ids=list(STEPS))
def deployed_again(request: pytest.FixtureRequest, lab: Parties) -> Interrupted:
    """The next run is the ordinary one: it makes the server agree with the vault."""
    before = passwords()
    kill_playbook_at(request.param, *ROTATE)
    wait_for_orphans(lab)
    killed = passwords()
    return Interrupted(before, killed, run_playbook("site.yml"), passwords())


def test_ordinary_run_makes_the_server_agree_with_the_vault(
    deployed_again: Interrupted, answer_to: Callable[[str, str], int]
) -> None:
    assert deployed_again.next_run.exit_code == 0, deployed_again.next_run.output
    assert deployed_again.after == deployed_again.killed
    accepted = {number: answer_to(number, deployed_again.after[number]) for number in ("100", "101", "102")}
    assert accepted == {"100": 200, "101": 200, "102": 200}
    former = deployed_again.before["101"]
    if former != deployed_again.after["101"]:
        assert answer_to("101", former) == 401


def test_next_rotation_completes_it_and_rotates_once(
    deployed_again: Interrupted, answer_to: Callable[[str, str], int]
) -> None:
    was_pending = JOURNAL.exists()
    run = run_playbook(*ROTATE)
    assert run.exit_code == 0, run.output
    now = passwords()["101"]
    assert now != deployed_again.before["101"]
    # What the killed run had written is completed, and counts as the rotation asked for.
    assert (now == deployed_again.after["101"]) == was_pending
    assert answer_to("101", now) == 200
    assert answer_to("101", deployed_again.before["101"]) == 401


@pytest.fixture(scope="module", params=STEPS.values(), ids=list(STEPS))
def rotated_again(request: pytest.FixtureRequest, lab: Parties) -> Interrupted:
    """The next run is a rotation of somebody else: the interrupted one is completed first."""
    before = passwords()
    kill_playbook_at(request.param, *ROTATE)
    wait_for_orphans(lab)
    killed = passwords()
    run = run_playbook("playbooks/rotate_passwords.yml", "-e", "rotate=100")
    return Interrupted(before, killed, run, passwords())


def test_another_rotation_completes_it_first(
    rotated_again: Interrupted, answer_to: Callable[[str, str], int]
) -> None:
    assert rotated_again.next_run.exit_code == 0, rotated_again.next_run.output
    assert rotated_again.after["101"] == rotated_again.killed["101"]
    assert rotated_again.after["100"] != rotated_again.before["100"]
    assert answer_to("100", rotated_again.after["100"]) == 200
    assert answer_to("101", rotated_again.after["101"]) == 200


def test_nothing_is_left_of_the_rotations(rotated_again: Interrupted) -> None:
    assert not JOURNAL.exists()
    assert set(vault_content()) == {"pbx_secrets"}
