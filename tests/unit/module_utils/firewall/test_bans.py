"""The sets of automatic bans: what makes them, what leaves them alone, whom no ban binds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.bans import (
    BANS_FILE,
    BanSets,
    never_banned,
    plan_bans,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import (
    BANNED,
    EXPECTED,
    KNOWN,
    NEVER,
    STRAY,
    UNHEARD,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import Protected, parse_network


def protected(*networks: str) -> list[Protected]:
    """Return protected networks without a name."""
    return [Protected("", parse_network(network)[0]) for network in networks]


class Kernel:
    """A host whose kernel has these sets: their members as the tools spell them, by name."""

    active: Mapping[str, bool]

    def __init__(self, sets: dict[str, list[str]]) -> None:
        self.sets = sets

    def output(self, *argv: str) -> str | None:
        """Answer `ipset list -name` and `ipset save NAME`."""
        if argv == ("ipset", "list", "-name"):
            return "".join(f"{name}\n" for name in self.sets)
        name = argv[-1]
        adds = (f"add {name} {member} packets 0 bytes 0\n" for member in self.sets[name])
        return f"create {name} hash:net family inet maxelem 1000000 counters\n" + "".join(adds)


def plan(kernel: Kernel, *networks: str) -> BanSets:
    """Plan with these protected networks."""
    options = {"expected_networks": ["198.51.100.0/30", "198.51.100.1"], "root_dir": "/opt/callcenter"}
    return plan_bans(kernel, protected(*networks), options)  # type: ignore[arg-type]


def right(*networks: str) -> dict[str, list[str]]:
    """Return the sets of a host that is as wanted, with one ban."""
    never = never_banned(protected(*networks))
    return {
        **{NEVER[version]: members for version, members in never.items()},
        BANNED[4]: ["203.0.113.7"],
        BANNED[6]: [],
        EXPECTED[4]: ["198.51.100.0/30"],
        KNOWN[4]: ["203.0.113.100"],
        UNHEARD[4]: [],
        STRAY[4]: [],
    }


@pytest.mark.parametrize(
    ("networks", "version", "expected", "is_in"),
    [
        pytest.param(["198.51.100.0/30"], 4, "198.51.100.0/30", True, id="a carrier"),
        pytest.param(["2001:db8::7"], 6, "2001:db8::7", True, id="IPv6"),
        pytest.param([], 4, "172.16.0.0/12", True, id="whatever networks Docker will make"),
        pytest.param(["172.18.0.0/16"], 4, "172.18.0.0/16", False, id="one of Docker's lies within that"),
        pytest.param(["0.0.0.0/0"], 4, "0.0.0.0/0", False, id="the world"),
    ],
)
def test_who_is_never_banned(networks: list[str], version: int, expected: str, is_in: bool) -> None:
    assert (expected in never_banned(protected(*networks))[version]) is is_in


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(lambda sets: None, [], id="all right"),
        pytest.param(lambda sets: sets.pop("sip-banned-v6"), ["create sip-banned-v6 hash:ip"], id="no bans"),
        pytest.param(
            lambda sets: sets["sip-never-v4"].remove("198.51.100.0/30"),
            ["add sip-never-v4-new 198.51.100.0/30", "swap sip-never-v4-new sip-never-v4"],
            id="a carrier is not protected",
        ),
        pytest.param(
            lambda sets: sets["sip-never-v6"].append("2001:db8::/32"),
            ["swap sip-never-v6-new sip-never-v6"],
            id="somebody protected himself",
        ),
        pytest.param(
            dict.clear,
            ["create sip-banned-v4 hash:ip", "create sip-never-v4 ", "swap sip-never-v6-new sip-never-v6"],
            id="nothing there",
        ),
    ],
)
def test_plan_bans(edit: object, expected: list[str]) -> None:
    sets = right("198.51.100.0/30")
    edit(sets)  # type: ignore[operator]
    changes = plan(Kernel(sets), "198.51.100.0/30").input
    assert [piece for piece in expected if piece not in changes] == []
    assert bool(changes) is bool(expected)


def test_no_change_touches_the_bans_themselves() -> None:
    """A list is swapped in; bans come and go one by one, so only what makes an absent set may name theirs."""
    bans = plan(Kernel({}), "198.51.100.0/30")
    for text in (bans.input, bans.saved[BANS_FILE]):
        named = [line for line in text.splitlines() if "sip-banned" in line]
        assert [line.split()[0] for line in named] == ["create", "create"]
        assert [line for line in named if not line.endswith(" -exist")] == []


def test_what_is_saved_makes_what_is_wanted() -> None:
    """The saved file holds the same members as the change, so that a boot ends where a run does."""
    bans = plan(Kernel({}), "198.51.100.0/30")
    adds = [line for line in bans.input.splitlines() if line.startswith("add ")]
    assert [line for line in bans.saved[BANS_FILE].splitlines() if line.startswith("add ")] == adds
    assert "add sip-never-v4-new 198.51.100.0/30" in adds


def test_diff_shows_whom_no_ban_binds() -> None:
    bans = plan(Kernel({}), "198.51.100.0/30")
    assert bans.before() == []
    assert "ipset create sip-banned-v4 hash:ip" in bans.after()
    assert "ipset add sip-never-v4 198.51.100.0/30" in bans.after()
    done = plan(Kernel(right("198.51.100.0/30")), "198.51.100.0/30")
    assert done.before() == done.after()
