"""Each toll-fraud limit refuses what it should and nothing else, audibly, and never an emergency call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from lab.driver.agents import Phone, Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import Leg, Recordings, record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed, run_playbook

MAX_CALL_SECONDS = 60
MAX_CALLS = 4
MAX_CALLS_PER_EXTENSION = 2
LIMITS = {
    "allowed_prefixes": ["+1", "+1900555"],
    "denied_prefixes": ["+1900", "+1242"],
    "abroad_prefixes": ["+49"],
    "max_minutes_per_day": 60,
    "max_call_seconds": MAX_CALL_SECONDS,
    "max_calls": MAX_CALLS,
    "max_calls_per_extension": MAX_CALLS_PER_EXTENSION,
}
SHORT = Talk(seconds=1)
WHILE = Talk(seconds=6)
LONGER_THAN_ALLOWED = Talk(seconds=MAX_CALL_SECONDS + 4, hang_up=False)
EMERGENCY = Talk(seconds=MAX_CALL_SECONDS + 4)


@dataclass(frozen=True)
class Attempt:
    """One call and what came of it."""

    status: int
    phone: Leg
    reached: list[str]
    log: str


@pytest.fixture(scope="module", autouse=True)
def limited(lab: Parties) -> Iterator[None]:
    """The PBX with small limits; as the inventory says afterwards."""
    first, *others = lab.model["pbx_extensions"]
    variables = {
        "pbx_outbound": {**lab.model["pbx_outbound"], **LIMITS},
        "pbx_extensions": [{**first, "networks": [f"{lab.phone_100.machine.address}/32"]}, *others],
    }
    with redeployed("playbooks/pbx.yml", variables):
        yield


class LongCalls:
    """Two calls of extension 101 that go on beside all other tests: an ordinary one, and 911."""

    def __init__(self, lab: Parties, recorded: Recordings) -> None:
        self.recorded = recorded
        self.ordinary = lab.phone_101.call("915551230000", LONGER_THAN_ALLOWED)
        self.emergency = lab.phone_101.call("911", EMERGENCY)


@pytest.fixture(scope="module", autouse=True)
def long_calls(lab: Parties, limited: None) -> Iterator[tuple[LongCalls, ExitStack]]:
    """The long calls, and the recording of them: close it when they are over."""
    with ExitStack() as recording:
        calls = LongCalls(lab, recording.enter_context(record(lab.phone_101.machine, lab.ashburn.machine)))
        wait_for_channels(lab, 4)
        yield calls, recording


def attempt(lab: Parties, phone: Phone, dialled: str, talk: Talk = SHORT) -> Attempt:
    """Dial, wait for the end, and collect what the carrier and the log saw."""
    mark = lab.server.log_size()
    with record(phone.machine, lab.ashburn.machine) as recorded:
        result = phone.call(dialled, talk).wait()
    carrier = recorded.of(lab.ashburn.machine)
    return Attempt(
        result.status,
        recorded.of(phone.machine).leg(result.call_id),
        [invite.uri.partition("@")[0] for invite in carrier.received_invites()],
        lab.server.log_since(mark),
    )


def assert_refused(attempted: Attempt, status: int, reason: str, number: str) -> None:
    """Refused with that status before it reached the carrier, audibly, and logged with who and why."""
    assert attempted.status == status
    lines = [line for line in attempted.log.splitlines() if "] WARNING[" in line and "Refused a call" in line]
    assert len(lines) == 1, attempted.log
    assert f"PJSIP/{number}-" in lines[0]
    assert reason in lines[0]
    assert 183 in attempted.phone.statuses()
    assert attempted.phone.received is not None, "the caller heard nothing"
    assert attempted.phone.received.packets > 50


def wait_for_channels(lab: Parties, channels: int) -> None:
    """Wait until that many channels are up."""
    lab.server.wait_until(lambda: lab.server.channels() >= channels, f"{channels} channels")


class TestSimultaneousCalls:
    """Two calls per extension, four in all. One of 101's is taken all the time, and so is one of all."""

    def test_call_beyond_the_extensions_own_is_refused_and_another_extension_calls(
        self, lab: Parties
    ) -> None:
        running = lab.phone_100.call("915551230001", WHILE, calls=MAX_CALLS_PER_EXTENSION)
        wait_for_channels(lab, 8)
        refused = attempt(lab, lab.phone_100, "915551230002")
        allowed = attempt(lab, lab.phone_102, "+15551230003")
        assert [call.status for call in running.wait_all()] == [200, 200]
        assert_refused(refused, 403, "simultaneous outbound calls per extension", "100")
        assert refused.reached == []
        assert allowed.status == 200

    def test_call_beyond_all_is_refused_until_one_ends(self, lab: Parties) -> None:
        first = lab.phone_100.call("915551230001", WHILE, calls=2)
        second = lab.phone_102.call("+15551230002", WHILE)
        wait_for_channels(lab, 10)
        refused = attempt(lab, lab.phone_101, "915551230003")
        assert [call.status for call in (*first.wait_all(), *second.wait_all())] == [200, 200, 200]
        assert_refused(refused, 503, f"limit of {MAX_CALLS} simultaneous outbound calls reached", "101")
        assert refused.reached == []
        assert attempt(lab, lab.phone_101, "915551230003").status == 200

    def test_internal_and_inbound_calls_are_not_counted(self, lab: Parties) -> None:
        running = lab.phone_100.call("915551230001", WHILE, calls=2)
        wait_for_channels(lab, 8)
        internal = lab.phone_100.call("101", SHORT)
        inbound = lab.umatilla.call("+19863334949", SHORT, caller="+15550104444")
        assert internal.wait().status == 200
        assert inbound.wait().status == 200
        assert [call.status for call in running.wait_all()] == [200, 200]

    def test_emergency_call_passes_when_every_line_is_taken(self, lab: Parties) -> None:
        first = lab.phone_100.call("915551230001", WHILE, calls=2)
        second = lab.phone_102.call("+15551230002", WHILE)
        wait_for_channels(lab, 10)
        emergency = attempt(lab, lab.phone_100, "911")
        assert [call.status for call in (*first.wait_all(), *second.wait_all())] == [200, 200, 200]
        assert emergency.status == 200
        assert set(emergency.reached) == {"sip:911"}


class TestDestinations:
    def test_denied_prefix_is_refused(self, lab: Parties) -> None:
        attempted = attempt(lab, lab.phone_100, "919005501234")
        assert_refused(attempted, 403, "destination not allowed", "100")
        assert attempted.reached == []

    def test_number_outside_the_allowed_prefixes_is_refused(self, lab: Parties) -> None:
        attempted = attempt(lab, lab.phone_102, "+442079460000")
        assert_refused(attempted, 403, "destination not allowed", "102")
        assert attempted.reached == []

    @pytest.mark.parametrize(
        "dialled",
        ["919015501234", "912435551234", "919005551234"],
        ids=["beside", "beside-too", "longer-allowed"],
    )
    def test_neighbouring_number_is_allowed(self, lab: Parties, dialled: str) -> None:
        attempted = attempt(lab, lab.phone_100, dialled)
        assert attempted.status == 200
        assert set(attempted.reached) == {f"sip:+{dialled[1:]}"}


class TestAbroad:
    """Phone 102 is of the class that may call the countries listed for it; the first one is reported."""

    @pytest.fixture(autouse=True)
    def first_one(self, lab: Parties) -> None:
        lab.server.asterisk("database deltree abroad")

    def test_the_class_calls_a_listed_country_and_the_first_call_is_logged(self, lab: Parties) -> None:
        first = attempt(lab, lab.phone_102, "00493012345678")
        assert (first.status, set(first.reached)) == (200, {"sip:+493012345678"})
        assert "First call abroad of extension 102: to +493012345678" in first.log
        smoke = run_playbook("playbooks/smoke.yml")
        assert "First call abroad of extension 102: to +493012345678" in smoke.words
        again = attempt(lab, lab.phone_102, "+493012345678")
        assert again.status == 200
        assert "First call abroad" not in again.log

    def test_other_phones_do_not(self, lab: Parties) -> None:
        attempted = attempt(lab, lab.phone_100, "9011493012345678")
        assert_refused(attempted, 403, "destination not allowed", "100")
        assert attempted.reached == []


class TestNetworks:
    """Phone 100 may be at its own address alone."""

    def test_the_right_password_is_of_no_use_elsewhere(self, lab: Parties) -> None:
        contacts = lab.server.contacts("100")
        # As for a wrong password: nobody learns that it is the right one.
        assert lab.phone_102.register(number="100", password=lab.phone_100.password) == 401
        assert lab.server.contacts("100") == contacts

    def test_it_registers_and_calls_from_there(self, lab: Parties) -> None:
        lab.phone_100.silence()
        assert lab.phone_100.register() == 200
        lab.phone_100.switch_on()
        assert attempt(lab, lab.phone_100, "915551230009").status == 200


class TestMinutesOfADay:
    @pytest.fixture
    def used(self, lab: Parties) -> Iterator[Callable[..., None]]:
        """Say how many seconds phone 102 has called outside on a day, and calls on a usual one."""

        def put(seconds: int, usual: int = 0, day: str = "") -> None:
            today = lab.server.run(["date", "-u", "+%Y%m%d"]).strip()
            lab.server.asterisk(f"database put outbound 102 {day or today}-{seconds}-{usual}")

        yield put
        lab.server.asterisk("database del outbound 102")

    def test_a_call_ends_with_them_and_no_other_begins(self, lab: Parties, used: Callable[..., None]) -> None:
        used(3600 - 4)
        begun = time.monotonic()
        last = lab.phone_102.call("+15551230004", Talk(seconds=30, hang_up=False)).wait()
        assert (last.status, time.monotonic() - begun < 20) == (200, True)
        refused = attempt(lab, lab.phone_102, "+15551230005")
        assert_refused(refused, 403, "limit of 60 minutes outside a day and extension", "102")
        assert refused.reached == []
        assert attempt(lab, lab.phone_102, "911").status == 200
        assert attempt(lab, lab.phone_102, "100").status == 200

    def test_a_day_of_twice_the_usual_is_logged_once(self, lab: Parties, used: Callable[..., None]) -> None:
        used(2000 - 1, usual=1000)
        mark = lab.server.log_size()
        said = "Extension 102 has called outside for 33 minutes today: twice its usual 16"
        for number in ("+15551230006", "+15551230007"):
            before = kept(lab)
            assert attempt(lab, lab.phone_102, number, Talk(seconds=3)).status == 200
            lab.server.wait_until(lambda before=before: kept(lab) != before, "its seconds")  # type: ignore[misc]
        log = lab.server.log_since(mark).splitlines()
        assert len([line for line in log if "] WARNING[" in line and said in line]) == 1

    def test_yesterday_counts_as_usual_and_no_more(self, lab: Parties, used: Callable[..., None]) -> None:
        used(3600, day="20260101")
        assert attempt(lab, lab.phone_102, "+15551230008", Talk(seconds=3)).status == 200
        lab.server.wait_until(lambda: not kept(lab).startswith("20260101"), "today's entry")
        _day, seconds, usual = kept(lab).split("-")
        assert 2 <= int(seconds) <= 8
        assert usual == "3600"


def kept(lab: Parties) -> str:
    """What the PBX keeps of phone 102's calls."""
    return lab.server.asterisk("database get outbound 102").partition("Value: ")[2].strip()


class TestLongestCall:
    def test_ordinary_call_ends_at_its_limit_and_emergency_call_does_not(
        self, lab: Parties, long_calls: tuple[LongCalls, ExitStack]
    ) -> None:
        calls, recording = long_calls
        ordinary, emergency = calls.ordinary.wait(), calls.emergency.wait()
        recording.close()
        phone = calls.recorded.of(lab.phone_101.machine)
        carrier = calls.recorded.of(lab.ashburn.machine)

        assert ordinary.status == 200
        leg = phone.leg(ordinary.call_id)
        answered = next(item.time for item in leg.messages if item.message.status == 200)
        (ended,) = leg.requests("BYE")
        assert ended.source.host == lab.pbx.address
        assert MAX_CALL_SECONDS - 0.5 <= ended.time - answered <= MAX_CALL_SECONDS + 2

        assert emergency.status == 200
        leg = phone.leg(emergency.call_id)
        assert [item.source.host for item in leg.requests("BYE")] == [lab.phone_101.machine.address]
        called = next(item for item in carrier.legs if item.invites[0].uri.startswith("sip:911@"))
        assert_two_way_audio(leg, called, EMERGENCY.seconds)
