"""A carrier that is dead in part, or all of it, costs seconds, and an emergency call finds another way."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

import pytest

from lab.driver.agents import NEVER_ANSWER, Answer, Refuse, Talk
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed, run_playbook
from lab.hosts import NAMES, SCANNER, TERMINATION_HOST

SILENT = "198.18.60.2"
"""An address that nobody has."""
SECONDS = 6.4
"""After so long Asterisk gives an address up."""
BUSY = 2
"""Times as long on a machine that has other things to do."""


@contextmanager
def named(lab: Parties, *addresses: str) -> Iterator[None]:
    """Let the termination host have these addresses, in this order, for the time of a with block."""
    dns = lab.ashburn.machine
    before = dns.read(PurePosixPath(NAMES)).decode()
    try:
        set_names(lab, "".join(f"{address} {TERMINATION_HOST}\n" for address in addresses))
        yield
    finally:
        set_names(lab, before)


def set_names(lab: Parties, text: str) -> None:
    lab.ashburn.machine.run(["sh", "-c", f"printf '%s' '{text}' > {NAMES} && kill -HUP 1"])


@pytest.mark.parametrize("dialled", ["+15551234567", "911"])
@pytest.mark.parametrize("dead", [SILENT, SCANNER.address], ids=["silent", "unreachable"])
def test_second_address_is_called_when_the_first_is_dead(lab: Parties, dead: str, dialled: str) -> None:
    own = lab.ashburn.machine.address
    with named(lab, dead, own), record(lab.phone_102.machine, lab.scanner.machine) as recorded:
        result = lab.phone_102.call(dialled, Talk(seconds=1)).wait()
    assert result.status == 200
    leg = recorded.of(lab.phone_102.machine).leg(result.call_id)
    sent = next(item.time for item in leg.messages if item.message.header("authorization"))
    rang = next(item.time for item in leg.messages if item.message.status == 180)
    assert rang - sent < SECONDS * BUSY
    if dead == SILENT:
        assert rang - sent > 0.9 * SECONDS, "the dead address was not tried first"
    else:
        assert recorded.of(lab.scanner.machine).received_invites(), "the dead address was not tried first"


@pytest.fixture(scope="module")
def second_way_out(lab: Parties) -> Iterator[None]:
    """The second carrier takes calls too: it knows the PBX by its address, without a password."""
    trunks = copy.deepcopy(lab.model["pbx_trunks"])
    trunks[1]["termination_host"] = lab.carrier_two.machine.address
    outbound = {**lab.model["pbx_outbound"], "trunk": [trunks[0]["name"], trunks[1]["name"]]}
    with redeployed("playbooks/pbx.yml", {"pbx_trunks": trunks, "pbx_outbound": outbound}):
        yield


@pytest.mark.usefixtures("second_way_out", "answering_again")
class TestSecondTrunk:
    @pytest.mark.parametrize("dialled", ["+15551234567", "911"])
    @pytest.mark.parametrize("first", ["silent", "503 Service Unavailable", "500 Server Internal Error"])
    def test_is_called_when_the_first_is_of_no_use(self, lab: Parties, first: str, dialled: str) -> None:
        if first == "silent":
            lab.ashburn.silence()
        else:
            lab.ashburn.listen(Refuse(first))
        lab.carrier_two.listen(Answer())
        with record(lab.phone_102.machine, lab.carrier_two.machine) as recorded:
            result = lab.phone_102.call(dialled, Talk(seconds=1)).wait()
        assert result.status == 200
        (invite,) = recorded.of(lab.carrier_two.machine).received_invites()
        assert invite.uri == f"sip:{dialled}@{lab.carrier_two.machine.address}"

    @pytest.mark.parametrize("said", ["486 Busy Here", "404 Not Found", "603 Decline"])
    def test_is_not_called_when_the_first_has_an_answer(self, lab: Parties, said: str) -> None:
        lab.ashburn.listen(Refuse(said))
        with lab.carrier_two.listening(Answer()), record(lab.carrier_two.machine) as recorded:
            assert lab.phone_102.call("+15551234567").wait().status == int(said[:3])
        assert recorded.of(lab.carrier_two.machine).received_invites() == []

    def test_is_not_called_when_the_called_phone_has_rung(self, lab: Parties) -> None:
        lab.ashburn.listen(NEVER_ANSWER, lab.challenge)
        with lab.carrier_two.listening(Answer()), record(lab.carrier_two.machine) as recorded:
            assert lab.phone_102.call("+15551234567").wait().status == 480
        assert recorded.of(lab.carrier_two.machine).received_invites() == []


@pytest.fixture
def silent_dns(lab: Parties) -> Iterator[None]:
    """Queries of the PBX get lost."""
    rule = ["-d", lab.ashburn.machine.address, "-p", "udp", "--dport", "53", "-j", "DROP"]
    for chain in ("FORWARD", "OUTPUT"):
        lab.server.run(["iptables", "-I", chain, *rule])
    yield
    for chain in ("FORWARD", "OUTPUT"):
        lab.server.run(["iptables", "-D", chain, *rule])


@pytest.mark.usefixtures("silent_dns")
def test_silent_name_server_is_heard_as_a_refusal_and_named_by_the_smoke_checks(lab: Parties) -> None:
    with record(lab.phone_102.machine) as recorded:
        started = time.monotonic()
        result = lab.phone_102.call("+15551234567").wait()
    assert result.status == 503
    leg = recorded.of(lab.phone_102.machine).leg(result.call_id)
    assert leg.received is not None, "the caller heard nothing"
    prompt = next(item.time for item in leg.messages if item.message.status == 183) - leg.messages[0].time
    assert prompt < 5 * BUSY, time.monotonic() - started
    smoke = run_playbook("playbooks/smoke.yml")
    assert smoke.exit_code != 0
    assert f"{TERMINATION_HOST} cannot be resolved: its name server does not answer" in smoke.words
