"""Running it again changes nothing, restarts nothing and drops no call; check mode says so beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lab.driver.held import HeldCall, held_call
from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, run_playbook


@dataclass(frozen=True)
class SecondRun:
    """``site.yml`` again, then in check mode, while a call is held."""

    applied: PlaybookResult
    checked: PlaybookResult
    before: dict[str, Any]
    after: dict[str, Any]
    releases: tuple[str, str]
    held: HeldCall


@pytest.fixture(scope="module")
def second_run(lab: Parties) -> SecondRun:
    before, release = lab.server.container_state(), lab.server.live_release()
    with held_call(lab) as held:
        applied = run_playbook("site.yml")
        checked = run_playbook("site.yml", "--check", "--diff")
    return SecondRun(
        applied,
        checked,
        before,
        lab.server.container_state(),
        (release, lab.server.live_release()),
        held,
    )


def test_second_run_changes_nothing(second_run: SecondRun) -> None:
    assert second_run.applied.exit_code == 0, second_run.applied.output
    assert second_run.applied.ok > 0
    assert second_run.applied.changed == 0, second_run.applied.output


def test_check_mode_on_a_deployed_host_reports_no_change(second_run: SecondRun) -> None:
    assert second_run.checked.exit_code == 0, second_run.checked.output
    assert second_run.checked.ok > 0
    assert second_run.checked.changed == 0, second_run.checked.output


def test_second_run_restarts_nothing(second_run: SecondRun) -> None:
    for name in ("Id", "StartedAt", "Pid"):
        assert second_run.after[name] == second_run.before[name]


def test_second_run_keeps_the_live_release(second_run: SecondRun) -> None:
    assert second_run.releases[0] == second_run.releases[1]


def test_call_held_across_the_run_keeps_its_audio(second_run: SecondRun) -> None:
    second_run.held.assert_nothing_was_lost()
