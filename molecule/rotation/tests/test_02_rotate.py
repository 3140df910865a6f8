"""One command makes new passwords, deploys them and proves them; calls and other phones notice nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from lab.driver.agents import Answer, Challenge, Talk
from lab.driver.capture import record
from lab.driver.held import HeldCall, held_call
from lab.driver.messages import SipMessage
from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, run_playbook
from lab.driver.vault import passwords

TRUNK = "twilio-na-us"
EXTENSIONS = {"100", "101", "102"}

# What is asked for, and the names whose password is to be another one afterwards.
ROTATIONS = {
    "one": ("101", {"101"}),
    "two": ("100,101", {"100", "101"}),
    "trunk": (TRUNK, {TRUNK}),
    "extensions": ("extensions", EXTENSIONS),
    "all": ("all", {*EXTENSIONS, TRUNK}),
}


@dataclass(frozen=True)
class Rotated:
    """A rotation while phone 100 talked: passwords before and after, and what became of the call."""

    names: set[str]
    before: dict[str, str]
    after: dict[str, str]
    result: PlaybookResult
    held: HeldCall
    process_ids: tuple[int, int]
    contacts: tuple[list[list[str]], list[list[str]]]


@pytest.fixture(scope="module", params=ROTATIONS.values(), ids=list(ROTATIONS))
def rotated(request: pytest.FixtureRequest, lab: Parties) -> Rotated:
    wanted, names = request.param
    before, process_id = passwords(), lab.server.container_state()["Pid"]
    contacts = [lab.server.contacts(phone.number) for phone in lab.phones]
    with held_call(lab) as held:
        result = run_playbook("playbooks/rotate_passwords.yml", "-e", f"rotate={wanted}")
    return Rotated(
        names,
        before,
        passwords(),
        result,
        held,
        (process_id, lab.server.container_state()["Pid"]),
        (contacts, [lab.server.contacts(phone.number) for phone in lab.phones]),
    )


def test_rotation_succeeds(rotated: Rotated) -> None:
    assert rotated.result.exit_code == 0, rotated.result.output


def test_exactly_the_passwords_asked_for_are_new(rotated: Rotated) -> None:
    assert {name for name in rotated.after if rotated.after[name] != rotated.before[name]} == rotated.names


def test_every_phone_is_accepted_with_what_the_vault_says(
    rotated: Rotated, answer_to: Callable[[str, str], int]
) -> None:
    assert {number: answer_to(number, rotated.after[number]) for number in EXTENSIONS} == dict.fromkeys(
        EXTENSIONS, 200
    )


def test_the_old_password_is_refused(rotated: Rotated, answer_to: Callable[[str, str], int]) -> None:
    numbers = rotated.names & EXTENSIONS
    answers = {number: answer_to(number, rotated.before[number]) for number in numbers}
    assert answers == dict.fromkeys(numbers, 401)


def test_carrier_gets_the_trunks_password_of_the_vault(rotated: Rotated, lab: Parties) -> None:
    challenge = replace(lab.challenge, password=rotated.after[TRUNK])
    former = replace(lab.challenge, password=rotated.before[TRUNK])
    invite = challenged_invite(lab, challenge, rotated.after["100"])
    assert challenge.is_answered_by(invite)
    assert former.is_answered_by(invite) == (TRUNK not in rotated.names)


def challenged_invite(lab: Parties, challenge: Challenge, password: str) -> SipMessage:
    """The INVITE that reaches the carrier after its challenge, when phone 100 calls out."""
    lab.phone_100.password = password
    lab.ashburn.listen(Answer(), challenge)
    with record(lab.ashburn.machine) as recorded:
        result = lab.phone_100.call("915551234567", Talk(seconds=1)).wait()
    assert result.status == 200
    return recorded.of(lab.ashburn.machine).leg_from("+19863334949").invites[-1]


def test_call_in_progress_loses_nothing(rotated: Rotated) -> None:
    rotated.held.assert_nothing_was_lost()


def test_registrations_stay_and_nothing_is_restarted(rotated: Rotated) -> None:
    before, after = rotated.contacts
    assert all(before)
    assert after == before
    assert rotated.process_ids[0] == rotated.process_ids[1]


def test_no_password_is_shown(rotated: Rotated) -> None:
    for password in (*rotated.before.values(), *rotated.after.values()):
        assert password not in rotated.result.output
