"""The lab for the tests of bans: with the limits a site has, and nobody banned at the beginning of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from lab.driver.fixtures import (  # noqa: F401 - used by name
    alone,
    deployed,
    lab,
    pytest_terminal_summary,
    server,
)
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed
from lab.paths import ROOT

_DEFAULTS = yaml.safe_load((ROOT / "roles" / "sip_bans" / "defaults" / "main.yml").read_text())


@pytest.fixture(scope="session")
def limits() -> dict[str, int]:
    """The role's own; the lab's inventory is patient with the attackers of the other scenarios."""
    return {
        name: _DEFAULTS[name] for name in ("sip_bans_guesses", "sip_bans_unknown_accounts", "sip_bans_calls")
    }


@pytest.fixture(scope="session", autouse=True)
def strict(lab: Parties, limits: dict[str, int]) -> Iterator[None]:  # noqa: F811 - the fixture above
    with redeployed("playbooks/pbx.yml", limits):
        yield
    # Whatever a test that failed has left behind is nobody else's trouble.
    lab.server.run(["fail2ban-client", "unban", "--all"])


@pytest.fixture(autouse=True)
def nobody_is_banned(lab: Parties, strict: None) -> None:  # noqa: F811
    lab.server.run(["fail2ban-client", "unban", "--all"])
