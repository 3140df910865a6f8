"""A password edited in the vault takes effect at the next run, and nobody notices who is not concerned."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lab.driver.held import HeldCall, held_call
from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, run_playbook
from lab.driver.vault import edit_vault, passwords


@dataclass(frozen=True)
class Edited:
    """A run of ``site.yml`` after the password of 101 was edited, while phone 100 talked."""

    old: str
    new: str
    result: PlaybookResult
    held: HeldCall
    containers: tuple[dict[str, Any], dict[str, Any]]
    contacts_of_100: tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def edited(lab: Parties) -> Edited:
    old, new = passwords()["101"], secrets.token_urlsafe(18)
    container, registered = lab.server.container_state(), lab.server.contacts("100")
    edit_vault({old: new})
    with held_call(lab) as held:
        result = run_playbook("site.yml", "--diff")
    return Edited(
        old,
        new,
        result,
        held,
        (container, lab.server.container_state()),
        (registered, lab.server.contacts("100")),
    )


def test_one_task_changes_the_server(edited: Edited) -> None:
    assert edited.result.exit_code == 0, edited.result.output
    assert edited.result.changed == 1, edited.result.output


def test_new_password_is_accepted_and_the_old_one_refused(
    edited: Edited, answer_to: Callable[[str, str], int]
) -> None:
    assert answer_to("101", edited.new) == 200
    assert answer_to("101", edited.old) == 401


def test_difference_shows_neither(edited: Edited) -> None:
    assert "********" in edited.result.output
    assert edited.new not in edited.result.output
    assert edited.old not in edited.result.output


def test_nothing_is_restarted(edited: Edited) -> None:
    before, after = edited.containers
    assert [before[name] for name in ("Id", "Pid")] == [after[name] for name in ("Id", "Pid")]


def test_call_in_progress_loses_nothing(edited: Edited) -> None:
    edited.held.assert_nothing_was_lost()


def test_registration_of_another_extension_stays(edited: Edited) -> None:
    before, after = edited.contacts_of_100
    assert before
    assert after == before
