"""A phone is known by its digest: whatever it writes into From, its calls go through and are no offence."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.driver.agents import Talk
from lab.driver.capture import Leg, record
from lab.driver.parties import Parties

FROM = {
    "hidden": ("anonymous", "anonymous.invalid"),
    "restricted": ("Restricted", "[remote_ip]"),
    "another-extension": ("101", "[remote_ip]"),
    "its-did": ("+19863334949", "[remote_ip]"),
    "a-trunk": ("twilio-na-us", "[remote_ip]"),
    "the-carriers-account": ("Admin", "nlpbay.pstn.ashburn.twilio.com"),
    "nobody": ("sales.team", "office.example"),
}
COMPLAINTS = (
    "No matching endpoint",
    "Failed to authenticate",
    "InvalidAccountID",
    "ChallengeResponseFailed",
)


@dataclass(frozen=True)
class Calls:
    """Calls of phone 100 with each From, one after the other: status, what 101 saw, and what was logged."""

    statuses: dict[str, int]
    rung: list[Leg]
    log: str


@pytest.fixture(scope="module")
def calls(lab: Parties) -> Calls:
    mark = lab.server.log_size()
    statuses = {}
    with record(lab.phone_101.machine) as recorded:
        for name, (user, host) in FROM.items():
            call = lab.phone_100.call("101", Talk(seconds=1), caller=user, from_host=host)
            statuses[name] = call.wait().status
    return Calls(statuses, recorded.of(lab.phone_101.machine).legs, lab.server.log_since(mark))


@pytest.mark.parametrize("name", FROM)
def test_call_goes_through(calls: Calls, name: str) -> None:
    assert calls.statuses[name] == 200


def test_each_is_shown_as_the_extension_that_proved_itself(calls: Calls) -> None:
    shown = [leg.invites[0].header("from").partition(";")[0] for leg in calls.rung]
    assert len(shown) == len(FROM)
    assert all(one.startswith('"Agent 100" <sip:100@') for one in shown), shown


def test_nothing_of_it_counts_as_an_offence(calls: Calls) -> None:
    assert "Executing" in calls.log, "the log shows no call at all: this test would prove nothing"
    assert [line for line in calls.log.splitlines() if any(words in line for words in COMPLAINTS)] == []
