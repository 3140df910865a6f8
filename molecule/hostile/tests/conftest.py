"""The lab for the tests of bans: with the limits a site has, and nobody banned at the beginning of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.driver.fixtures import (  # noqa: F401 - used by name
    alone,
    deployed,
    lab,
    pytest_terminal_summary,
    server,
)
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed

# What the role's defaults are; the lab's inventory is patient with the attackers of the other scenarios.
LIMITS = {"sip_bans_guesses": 10, "sip_bans_unknown_accounts": 10, "sip_bans_calls": 5}


@pytest.fixture(scope="session", autouse=True)
def strict(lab: Parties) -> Iterator[None]:  # noqa: F811 - the fixture above
    with redeployed("playbooks/pbx.yml", LIMITS):
        yield


@pytest.fixture(autouse=True)
def nobody_is_banned(lab: Parties, strict: None) -> None:  # noqa: F811
    lab.server.run(["fail2ban-client", "unban", "--all"])
