"""A carrier that names a token in its calls: its address alone, which anybody can write, opens nothing."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator

import pytest

from lab.driver.agents import Talk
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed
from lab.driver.vault import passwords

DID, CALLER = "+19863334949", "+15550107777"
TRUNK = "twilio-na-us"
# New ones for each run: an earlier one may have left its own in a log.
TOKEN, FORMER = (secrets.token_urlsafe(18) for _ in range(2))


@pytest.fixture(scope="module", autouse=True)
def tokens(lab: Parties, limits: dict[str, int]) -> Iterator[None]:
    """The first trunk asks for a token, and still takes the former one."""
    trunks = copy.deepcopy(lab.model["pbx_trunks"])
    next(trunk for trunk in trunks if trunk["name"] == TRUNK)["inbound_token"] = True
    name = f"{TRUNK}-inbound"
    variables = {
        **limits,
        "pbx_trunks": trunks,
        "pbx_secrets": {**passwords(), name: TOKEN},
        "pbx_secrets_previous": {name: FORMER},
    }
    with redeployed("playbooks/pbx.yml", variables, limits):
        yield


@pytest.mark.parametrize(
    "parameters",
    [f";token={TOKEN}", f";token={FORMER}", f";edge=ashburn;transport=udp;token={TOKEN}"],
    ids=["in use", "former", "not the first"],
)
def test_a_call_that_names_it_comes_in(lab: Parties, parameters: str) -> None:
    call = lab.umatilla.call(DID, Talk(seconds=1), caller=CALLER, parameters=parameters)
    assert call.wait().status == 200


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        ";token=",
        f";token={TOKEN.swapcase()}",
        f";tokens={TOKEN}",
        f";a={TOKEN}",
        ";x=1" * 200,
        ";a=%24%7BPROOF%7D",
    ],
    ids=["none", "empty", "in other letters", "another name", "another place", "many", "an expression"],
)
def test_a_call_that_does_not_rings_nobody(lab: Parties, parameters: str) -> None:
    mark = lab.server.log_size()
    with record(lab.phone_100.machine) as recorded:
        call = lab.umatilla.call(DID, caller=CALLER, parameters=parameters)
        assert call.wait().status == 403
    assert recorded.of(lab.phone_100.machine).received_invites() == []
    assert "it does not name the inbound token of its trunk" in lab.server.log_since(mark)


def test_another_carrier_needs_none(lab: Parties) -> None:
    assert lab.carrier_two.call(DID, Talk(seconds=1), caller=CALLER).wait().status == 200


def test_the_server_has_only_digests_of_it(lab: Parties) -> None:
    call = lab.umatilla.call(DID, Talk(seconds=1), caller=CALLER, parameters=f";token={TOKEN}")
    assert call.wait().status == 200
    found = lab.server.run(
        ["sh", "-c", f"grep -rlE '{TOKEN}|{FORMER}' /opt/callcenter /var/log || [ $? = 1 ]"]
    )
    assert found == ""
