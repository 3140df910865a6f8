"""While a rotation overlaps, both passwords are accepted, and it is known who has the new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab.driver.agents import Answer, Talk
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, run_playbook
from lab.driver.vault import passwords, vault_content

ROTATE = "playbooks/rotate_passwords.yml"
TRUNK = "twilio-na-us"


@pytest.fixture(scope="module")
def former() -> dict[str, str]:
    return passwords()


@pytest.fixture(scope="module", autouse=True)
def overlapping(lab: Parties, former: dict[str, str]) -> Iterator[PlaybookResult]:
    """Phones and trunk are being replaced; afterwards nothing of it is left."""
    yield run_playbook(ROTATE, "-e", "rotate=all", "-e", "overlap=true")
    run_playbook(ROTATE, "-e", "rotate=all", "-e", "finish=true")


def table_line(number: str) -> str:
    """The line of an extension in the table of ``playbooks/status.yml``."""
    shown = run_playbook("playbooks/status.yml")
    assert shown.exit_code == 0, shown.output
    return next(line for line in shown.output.splitlines() if line.split()[:1] == [number])


# The tests below are steps of one story, in this order.


def test_begins(overlapping: PlaybookResult, former: dict[str, str]) -> None:
    assert overlapping.exit_code == 0, overlapping.output
    assert vault_content()["pbx_secrets_previous"] == {n: former[n] for n in ("100", "101", "102")}


def test_both_passwords_are_accepted_and_no_third(
    former: dict[str, str], answer_to: Callable[[str, str], int]
) -> None:
    assert answer_to("101", former["101"]) == 200
    assert answer_to("101", passwords()["101"]) == 200
    assert answer_to("101", passwords()["100"]) == 401


def test_trunk_goes_on_with_the_password_the_carrier_knows(lab: Parties, former: dict[str, str]) -> None:
    assert passwords()[TRUNK] == former[TRUNK]
    assert vault_content()["pbx_secrets_next"][TRUNK] != former[TRUNK]


def test_phone_with_the_old_password_is_shown_as_such(lab: Parties, former: dict[str, str]) -> None:
    lab.phone_101.password = former["101"]
    lab.phone_101.switch_on()
    assert " old" in table_line("101")


def test_phone_with_the_new_password_is_shown_as_such(lab: Parties) -> None:
    lab.phone_101.password = passwords()["101"]
    lab.phone_101.switch_on()
    assert " new" in table_line("101")


def test_ordinary_run_changes_nothing_meanwhile() -> None:
    again = run_playbook("site.yml")
    assert again.exit_code == 0, again.output
    assert again.changed == 0, again.output


def test_finish_ends_it(former: dict[str, str], answer_to: Callable[[str, str], int]) -> None:
    promised = vault_content()["pbx_secrets_next"][TRUNK]
    finished = run_playbook(ROTATE, "-e", "rotate=all", "-e", "finish=true")
    assert finished.exit_code == 0, finished.output
    assert answer_to("101", passwords()["101"]) == 200
    assert answer_to("101", former["101"]) == 401
    assert passwords()[TRUNK] == promised
    assert not vault_content().get("pbx_secrets_previous")
    assert not vault_content().get("pbx_secrets_next")


def test_carrier_then_gets_the_promised_password(lab: Parties) -> None:
    challenge = replace(lab.challenge, password=passwords()[TRUNK])
    lab.phone_101.password = passwords()["101"]
    lab.ashburn.listen(Answer(), challenge)
    with record(lab.ashburn.machine) as recorded:
        result = lab.phone_101.call("915551234567", Talk(seconds=1)).wait()
    assert result.status == 200
    assert challenge.is_answered_by(recorded.of(lab.ashburn.machine).leg_from("+19863334949").invites[-1])


def test_nothing_recorded_is_left_on_the_server(lab: Parties) -> None:
    assert "registrations.pcap" not in lab.server.run(["ls", "/opt/callcenter/logs"])
