"""The block list on its host: what of it is blocked, and how a later run knows that it still is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import change as firewall_change
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import list as firewall_list
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import rules as firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import sets
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.bans import never_banned
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.guard import (
    all_raw_chains,
    inner_chains,
    plan_raw,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.host import Guard, Unable
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.list import Record, read_list
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import SETS, Set, parse_set
from ansible_collections.callcenter.pbx.plugins.module_utils.networks import plain_list
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Protected,
    parse_network,
)

CARRIER = Protected("carrier", parse_network("198.51.100.0/30")[0])
SOURCE = {"name": "drop.txt", "networks": "203.0.113.7\n203.0.113.0/28\n198.51.100.1\n10.0.0.1\n2001:db8::1"}


def test_sources_are_merged_and_what_is_protected_is_left_out_of_files() -> None:
    wanted = read_list(["203.0.113.9", {"address": "192.0.2.0/24", "reason": "x"}], [SOURCE], [CARRIER])
    assert wanted.members == {4: ["192.0.2.0/24", "203.0.113.0/28"], 6: ["2001:db8::1"]}
    assert wanted.warnings == (
        "drop.txt: 2 entries overlap what must never be blocked, left out: "
        "10.0.0.1 (private network 10.0.0.0/8), 198.51.100.1 (carrier 198.51.100.0/30)",
    )


def test_the_inventory_is_refused_with_every_name() -> None:
    with pytest.raises(Unable) as refused:
        read_list(["203.0.113.9", "198.51.100.2", "10.0.0.0/8"], [SOURCE], [CARRIER])
    assert refused.value.refused == (
        "entry 2, 198.51.100.2, overlaps 198.51.100.0/30 (carrier)",
        "entry 3, 10.0.0.0/8, overlaps 10.0.0.0/8 (private network)",
    )


def test_more_than_a_set_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "MAX_ENTRIES", 2)
    with pytest.raises(Unable, match="3 networks of IPv4, more than a set may hold"):
        read_list(["203.0.113.1", "203.0.113.3", "203.0.113.5"], [], [])


RECORD = Record("list", "protected", "sets", {"v4": "a"}, {"v4": 1, "v6": 0}, ("note",), ("warning",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(RECORD.text(), RECORD, id="as written"),
        pytest.param(None, None, id="no file"),
        pytest.param("", None, id="empty"),
        pytest.param("[]", None, id="something else"),
        pytest.param(RECORD.text().replace("digest", "former"), None, id="a field is missing"),
    ],
)
def test_read_record(text: str | None, expected: Record | None) -> None:
    assert firewall_list.read_record(text) == expected


PORTS = firewall.Ports(5060, 10000, 10100)
RAW = firewall.Table({}, {"PREROUTING": ("-d 172.18.0.2/32 ! -i br-1 -j DROP",)})


class FakeHost:
    """A host with saved files and kernel sets."""

    def __init__(self, files: Mapping[str, str], live: Mapping[str, str | None]) -> None:
        self.files = files
        self.live = live
        self.raw = firewall.apply_lines(RAW, plan_raw(RAW, all_raw_chains(PORTS, False, "172.30.255.252/30")))
        self.tables = {
            version: firewall.apply_lines(
                firewall.EMPTY_TABLE,
                firewall.plan_table(
                    firewall.EMPTY_TABLE,
                    version,
                    PORTS,
                    False,
                    (),
                    inner_chains(version, PORTS, None, "172.30.255.252/30", []),
                ),
            )
            for version in (4, 6)
        }

    def output(self, *argv: str) -> str | None:
        if argv == ("ipset", "list", "-name"):
            return "".join(f"{name}\n" for name, text in self.live.items() if text is not None)
        assert argv[:2] == ("ipset", "save")
        return self.live[argv[2]]

    def protected(self) -> tuple[Protected, ...]:
        return (CARRIER,)

    def table(self, program: str, name: str = "filter") -> firewall.Table:
        if name == "raw":
            return self.raw
        return self.tables[4 if program == "iptables" else 6]

    def docker_variant(self, default: firewall.Table) -> str:
        return ""

    def guard(self, tables: dict[int, firewall.Table], ports: firewall.Ports) -> Guard:
        return Guard("none")

    def set(self, version: int, expected: int) -> Set:
        return parse_set(self.live[SETS[version]] or "")

    def differing(self, files: dict[str, str]) -> dict[str, str]:
        return {name: text for name, text in files.items() if self.files.get(name) != text}


OPTIONS = {
    "never_block": [],
    "protected_networks": [],
    "sip_port": 5060,
    "local_sip_port": 0,
    "local_networks": [],
    "rtp_first_port": 10000,
    "rtp_last_port": 10100,
    "expected_networks": ["198.51.100.0/30"],
    "asymmetric_routes": False,
    "root_dir": "/opt/callcenter",
    "container_network": "172.30.255.252/30",
    "tcp_ports": [],
}
LIST = ["203.0.113.7", "203.0.113.0/30", "2001:db8::/32"]


def saved(name: str, *members: str) -> str:
    """Return what `ipset save` prints of a set that counts packets."""
    adds = (f"add {name} {member} packets 7 bytes 420\n" for member in members)
    return f"create {name} hash:net family inet maxelem 1000000 counters\n{''.join(adds)}"


NEVER = never_banned([CARRIER])
LIVE: dict[str, str | None] = {
    # The kernel lists members in an order of its own.
    "sip-blacklist-v4": saved("sip-blacklist-v4", "203.0.113.7", "203.0.113.0/30"),
    "sip-blacklist-v6": saved("sip-blacklist-v6", "2001:db8::/32"),
    "sip-never-v4": saved("sip-never-v4", *reversed(NEVER[4])),
    "sip-never-v6": saved("sip-never-v6", *NEVER[6]),
    "sip-banned-v4": "",
    "sip-banned-v6": "",
    "sip-expected-v4": saved("sip-expected-v4", "198.51.100.0/30"),
    "sip-known-v4": "",
    "sip-unheard-v4": "",
    "sip-stray-v4": "",
}


def use(monkeypatch: pytest.MonkeyPatch, host: FakeHost) -> None:
    monkeypatch.setattr(firewall_change, "Host", lambda all_members=False: host)
    monkeypatch.setattr(firewall_change, "which", lambda program: program)
    monkeypatch.setattr(firewall_change, "read_text", lambda path: host.files.get(path.name))


def plan(digest: str = "a") -> firewall_change.Change:
    packed = plain_list.pack({"digest": digest, "blacklist": LIST, "sources": [], "warnings": ["skipped"]})
    return firewall_change.plan({**OPTIONS, "packed": packed, "blacklist": []})


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host on which the list is in force."""
    host = FakeHost({}, LIVE)
    use(monkeypatch, host)
    change = plan()
    assert not any(change.set_inputs.values())
    assert change.bans.input == ""
    host.files = {**change.unsaved, firewall_list.RECORD: change.record.text()}
    return host


def ask(host: FakeHost, digest: str = "a", **options: Any) -> dict[str, Any] | None:

    def saving(name: str) -> Callable[[], str]:
        return lambda: host.output("ipset", "save", name) or ""

    live = {version: saving(name) for version, name in SETS.items()}
    result: dict[str, Any] | None = firewall_change.unchanged(digest, live, **{**OPTIONS, **options})[
        "result"
    ]
    return result


def test_an_unchanged_list_is_known_by_its_digest(deployed: FakeHost) -> None:
    result = ask(deployed)
    assert result is not None
    assert (result["changed"], result["entries"], result["warnings"]) == (
        False,
        {"v4": 2, "v6": 1},
        ["skipped"],
    )
    assert result == plan().result()


def _flushed(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-blacklist-v4": saved("sip-blacklist-v4")}


def _destroyed(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-blacklist-v6": None}


def _replaced(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-blacklist-v4": saved("sip-blacklist-v4", "203.0.113.8", "203.0.113.0/30")}


def _added(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-blacklist-v4": f"{LIVE['sip-blacklist-v4']}add sip-blacklist-v4 9.9.9.9\n"}


def _of_a_former_version(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-blacklist-v4": str(LIVE["sip-blacklist-v4"]).replace(" counters", "")}


def _carrier_bannable(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-never-v4": saved("sip-never-v4", *NEVER[4][1:])}


def _no_bans(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-banned-v6": None}


def _edited(host: FakeHost) -> None:
    host.files = {**host.files, "sets": host.files["sets"].replace("113.7", "113.8")}


def _forgotten(host: FakeHost) -> None:
    host.files = {name: text for name, text in host.files.items() if name != firewall_list.RECORD}


def _guard_gone(host: FakeHost) -> None:
    host.raw = RAW


def _carrier_unexpected(host: FakeHost) -> None:
    host.live = {**LIVE, "sip-expected-v4": saved("sip-expected-v4")}


def _rules_gone(host: FakeHost) -> None:
    host.tables = dict.fromkeys((4, 6), firewall.EMPTY_TABLE)


@pytest.mark.parametrize(
    "meddle",
    [
        _flushed,
        _destroyed,
        _replaced,
        _added,
        _of_a_former_version,
        _carrier_bannable,
        _no_bans,
        _edited,
        _forgotten,
        _rules_gone,
        _guard_gone,
        _carrier_unexpected,
    ],
)
def test_what_somebody_changed_by_hand_is_noticed(deployed: FakeHost, meddle: Any) -> None:
    assert ask(deployed) is not None
    meddle(deployed)
    assert ask(deployed) is None


def test_another_list_or_other_protected_networks_are_noticed(deployed: FakeHost) -> None:
    assert ask(deployed, "b") is None
    assert ask(deployed, never_block=["192.0.2.1"]) is None


def test_a_list_that_is_written_otherwise_but_means_the_same_is_no_change(deployed: FakeHost) -> None:
    assert not plan("b")


@pytest.mark.parametrize(
    ("meddle", "is_cut"),
    [
        pytest.param(lambda host: None, False, id="nothing"),
        pytest.param(_replaced, True, id="one that is missing"),
        pytest.param(_destroyed, True, id="a set"),
        pytest.param(_rules_gone, True, id="the rules"),
    ],
)
def test_flows_of_the_list_are_cut_where_it_was_not_in_force(
    deployed: FakeHost, meddle: Any, is_cut: bool
) -> None:
    meddle(deployed)
    found = plain_list.spell(plan().to_cut())
    whole = {4: ["203.0.113.0/30", "203.0.113.7"], 6: ["2001:db8::/32"]}
    assert found == (whole if is_cut else {})


def test_difference_shows_what_comes_and_goes(deployed: FakeHost) -> None:
    _replaced(deployed)
    difference = plan().diff()
    assert "ipset add sip-blacklist-v4 203.0.113.8\n" in difference["before"]
    assert "ipset add sip-blacklist-v4 203.0.113.7\n" in difference["after"]
    assert "203.0.113.0/30" not in difference["before"] + difference["after"]


class TestBringAbout:
    """Docker, a boot and our own watch change the rules, too."""

    def refused(self, times: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What is made where the kernel refuses so many plans, since the rules are no longer so."""
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        made: list[str] = []

        class Planned:
            def __init__(self, name: str) -> None:
                self.name = name

            def make(self) -> None:
                made.append(self.name)
                if len(made) <= times:
                    raise Unable("Index of deletion too big")

        firewall_change.bring_about(
            Planned("first"),  # type: ignore[arg-type]
            lambda: Planned("anew"),  # type: ignore[arg-type,return-value]
        )
        return made

    @pytest.mark.parametrize(
        ("times", "made"), [(0, ["first"]), (1, ["first", "anew"]), (2, ["first", "anew", "anew"])]
    )
    def test_a_plan_on_rules_that_are_gone_is_made_anew(
        self, times: int, made: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.refused(times, monkeypatch) == made

    def test_three_refusals_are_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(Unable, match="Index of deletion too big"):
            self.refused(3, monkeypatch)
