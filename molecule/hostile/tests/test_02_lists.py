"""Listed sources: by command, at once, and nobody else; what others do to the chain is noticed."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.driver.agents import Talk
from lab.driver.attacks import flood, forge, knock
from lab.driver.capture import record
from lab.driver.held import held_call
from lab.driver.parties import Parties
from lab.driver.playbook import deploy, run_playbook
from lab.driver.scanner import Scanner
from lab.paths import INVENTORY_DIR

BLACKLIST = "playbooks/blacklist.yml"
MANY = {f"198.18.150.{number}" for number in range(1, 21)}
SETS_FILE = "/var/lib/callcenter-firewall/sets"
FILE = INVENTORY_DIR / "group_vars" / "pbx" / "blacklist.yml"


@pytest.fixture
def list_as_before() -> Iterator[None]:
    """Whatever a test does to the list is undone, in the inventory and on the server."""
    before = FILE.read_text()
    yield
    if FILE.read_text() != before:
        FILE.write_text(before)
    deploy(BLACKLIST)


def test_block_and_unblock_by_command(lab: Parties, list_as_before: None) -> None:
    before, scanner = FILE.read_text(), lab.scanner.machine.address
    blocked = run_playbook(BLACKLIST, "-e", f"block={scanner}", "-e", "reason='guesses passwords'")
    assert blocked.exit_code == 0, blocked.output
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    assert "guesses passwords" in FILE.read_text()
    assert f"{scanner} pbx_blacklist: guesses passwords" in run_playbook("playbooks/blocked.yml").words
    again = run_playbook(BLACKLIST, "-e", f"block={scanner}")
    assert (again.exit_code, again.changed) == (0, 0), again.output
    unblocked = run_playbook(BLACKLIST, "-e", f"unblock={scanner}")
    assert unblocked.exit_code == 0, unblocked.output
    assert lab.scanner.ask("OPTIONS") is not None
    assert FILE.read_text() == before


@pytest.fixture
def by_hand(lab: Parties, list_as_before: None) -> Iterator[tuple[str, ...]]:
    """A rule as the troubleshooting guide has it."""
    rule = ("SIP-BLACKLIST", "-s", lab.scanner.machine.address, "-j", "DROP")
    lab.server.run(["iptables", "-A", *rule])
    yield rule
    # Until none is left; the last attempt finds none.
    lab.server.run(["sh", "-c", f"while iptables -D {' '.join(rule)} 2>/dev/null; do :; done"])


def test_rule_made_by_hand_binds_until_the_list_has_its_source(
    lab: Parties, by_hand: tuple[str, ...]
) -> None:
    scanner = lab.scanner.machine.address
    assert lab.scanner.ask("OPTIONS", seconds=1) is None

    assert run_playbook("playbooks/host.yml").exit_code == 0
    again = run_playbook("playbooks/host.yml")
    assert (again.exit_code, again.changed) == (0, 0), again.output
    assert lab.scanner.ask("OPTIONS", seconds=1) is None, "after two runs"

    lab.server.restart_docker()
    lab.server.wait_until_healthy()
    assert lab.scanner.ask("OPTIONS", seconds=1) is None, "after a restart of Docker"

    other = "198.18.99.77"
    lab.server.run(["iptables", "-I", "SIP-BLACKLIST", "-s", other, "-j", "DROP"])
    lab.server.reboot()
    lab.server.wait_until_healthy()
    assert lab.scanner.ask("OPTIONS", seconds=1) is None, "after a reboot"
    assert f"-s {other}/32 -j DROP" in lab.server.run(["iptables", "-S", "SIP-BLACKLIST"])
    lab.server.run(["iptables", "-D", "SIP-BLACKLIST", "-s", other, "-j", "DROP"])

    smoke = run_playbook("playbooks/smoke.yml")
    assert smoke.exit_code == 0, smoke.output
    assert "and 1 made by hand" in smoke.words
    blocked = run_playbook("playbooks/blocked.yml").words
    assert f"playbooks/blacklist.yml -e block={scanner}" in blocked
    taken = run_playbook(BLACKLIST, "-e", f"block={scanner}")
    assert taken.exit_code == 0, taken.output
    assert scanner not in lab.server.run(["iptables", "-S", "SIP-BLACKLIST"])
    assert lab.scanner.ask("OPTIONS", seconds=1) is None, "after it was taken into the list"


def test_rule_made_by_hand_never_keeps_the_carrier_out(lab: Parties, list_as_before: None) -> None:
    lab.server.run(["iptables", "-A", "SIP-BLACKLIST", "-s", lab.ashburn.machine.address, "-j", "DROP"])
    run = run_playbook("playbooks/host.yml")
    assert run.exit_code == 0, run.output
    assert "added to SIP-BLACKLIST by hand, is removed: it would block" in run.words
    assert lab.ashburn.machine.address not in lab.server.run(["iptables", "-S", "SIP-BLACKLIST"])


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("198.18.60.1", "twilio-na-us"),
        ("198.18.0.10", "pbx_public_address"),
        ("10.1.2.3", "private network"),
        ("198.18.0.0/16", "twilio-na-us"),
        ("0.0.0.0/0", "loopback"),
        ("nonsense", "neither an address nor a network"),
    ],
)
def test_what_must_not_be_blocked_is_refused_by_name(
    lab: Parties, list_as_before: None, what: str, name: str
) -> None:
    before = FILE.read_text()
    refused = run_playbook(BLACKLIST, "-e", f"block={what}")
    assert refused.exit_code != 0
    assert refused.changed == 0
    assert what in refused.words
    assert name in refused.words
    assert FILE.read_text() == before
    assert lab.server.entries("sip-blacklist-v4") == []


def test_check_mode_says_what_would_be_blocked_and_touches_nothing(
    lab: Parties, list_as_before: None
) -> None:
    before, scanner = FILE.read_text(), lab.scanner.machine.address
    shown = run_playbook(BLACKLIST, "--check", "--diff", "-e", f"block={scanner}")
    assert shown.exit_code == 0, shown.output
    assert f"+ipset add sip-blacklist-v4 {scanner}" in shown.output
    assert FILE.read_text() == before
    assert lab.scanner.ask("OPTIONS") is not None


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine that serves the test's directory."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_port}"
        finally:
            served.shutdown()
            thread.join()


def test_lists_from_files_and_from_the_web(
    lab: Parties, list_as_before: None, tmp_path: Path, web: str
) -> None:
    listed, fetched = lab.scanner, Scanner(lab.phone_101.machine, lab.pbx)
    plain = tmp_path / "scanners.txt"
    lines = ["# A public list", f"{listed.machine.address} ; since 2024", "", "who knows"]
    plain.write_text("\r\n".join([*lines, "10.1.2.3", "198.18.60.0/24", ""]))
    (tmp_path / "list.txt").write_text(f"{fetched.machine.address}\n203.0.113.0/24\n203.0.113.7\n")
    checksum = hashlib.sha256((tmp_path / "list.txt").read_bytes()).hexdigest()
    sources: dict[str, object] = {
        "pbx_blacklist_files": [str(plain)],
        "pbx_blacklist_urls": [{"url": f"{web}/list.txt", "sha256": checksum}],
    }
    applied = deploy(BLACKLIST, sources)
    assert f"{plain}:4: 'who knows'" in applied.words
    assert "10.1.2.3 (private network 10.0.0.0/8)" in applied.words
    assert "198.18.60.0/24 (trunk twilio-na-us 198.18.60.0/30)" in applied.words
    assert listed.ask("OPTIONS", seconds=1) is None
    assert fetched.ask("OPTIONS", seconds=1) is None
    assert lab.ashburn.call("+19863334949", caller="+15550100126").wait().status == 200
    again = deploy(BLACKLIST, sources)
    assert again.changed == 0, again.output

    # A file that is no list, or a content with another checksum: the list that runs stays.
    rubbish = tmp_path / "rubbish.txt"
    rubbish.write_text("<html>\n" * 20)
    refused = run_playbook(BLACKLIST, variables={"pbx_blacklist_files": [str(rubbish)]})
    assert refused.exit_code != 0
    assert "20 of 20 lines mean nothing" in refused.words
    (tmp_path / "list.txt").write_text("203.0.113.99\n")
    kept = deploy(BLACKLIST, sources)
    assert kept.changed == 0, kept.output
    wrong = {**sources, "pbx_blacklist_urls": [{"url": f"{web}/list.txt", "sha256": "0" * 64}]}
    warned = deploy(BLACKLIST, wrong)
    assert "not the wanted one" in warned.words
    assert "stays in use" in warned.words
    assert listed.ask("OPTIONS", seconds=1) is None
    assert fetched.ask("OPTIONS", seconds=1) is None


def test_call_of_a_newly_listed_source_is_cut_at_once(lab: Parties, list_as_before: None) -> None:
    source = lab.phone_101.machine.address
    with record(lab.phone_100.machine, lab.phone_101.machine) as recorded:
        call = lab.phone_101.call("100", Talk(seconds=60, hang_up=False))
        lab.server.wait_until(lambda: lab.server.answered_channels() == 2, "the call")
        time.sleep(1)
        assert lab.server.flows_of(source) > 0
        result = run_playbook(BLACKLIST, "-e", f"block={source}")
        marked = time.time()
        assert result.exit_code == 0, result.output
        assert lab.server.flows_of(source) == 0
        lab.server.wait_until_idle()
        time.sleep(2)
        call.stop()
    for phone in (lab.phone_100, lab.phone_101):
        heard = [packet for packet in recorded.of(phone.machine).rtp if packet.source.host == lab.pbx.address]
        assert len([packet for packet in heard if packet.time < marked]) > 40
        assert [packet for packet in heard if packet.time > marked] == []


@pytest.mark.parametrize("sender", ["itself", "many", "a carrier"])
def test_flood_leaves_a_call_its_audio(lab: Parties, sender: str) -> None:
    """Whoever floods is banned soon, whatever address he takes, unless it is a carrier's: that is borne."""
    scanner = lab.scanner.machine
    with held_call(lab) as held:
        if sender == "itself":
            flood(scanner, lab.pbx, rate=2000, seconds=8).wait(60)
        elif sender == "many":
            attacks = [forge(scanner, lab.pbx, address, count=64, rate=8) for address in MANY]
            for attack in attacks:
                attack.wait(120)
        else:
            forge(scanner, lab.pbx, lab.ashburn.machine.address, method="OPTIONS", count=1600, rate=200).wait(
                120
            )
    held.assert_nothing_was_lost(300)
    expected = {"itself": {scanner.address}, "many": MANY, "a carrier": set()}[sender]
    assert set(lab.server.banned()) == expected


@pytest.fixture
def nobody_looks(lab: Parties) -> Iterator[None]:
    """The server does not put its firewall right by itself."""
    lab.server.run(["systemctl", "stop", "callcenter-firewall-watch.timer"])
    yield
    lab.server.run(["systemctl", "start", "callcenter-firewall-watch.timer"])


@pytest.mark.usefixtures("nobody_looks")
@pytest.mark.parametrize(
    "damage",
    [
        ["iptables", "-F", "DOCKER-USER"],
        ["iptables", "-D", "INPUT", "-j", "SIP-BLACKLIST"],
        ["iptables", "-I", "SIP-BLACKLIST", "-j", "RETURN"],
        ["iptables", "-F", "SIP-BLACKLIST"],
        ["iptables", "-F", "SIP-GUARD"],
        ["iptables", "-t", "raw", "-F", "SIP-ARRIVAL"],
    ],
    ids=" ".join,
)
def test_damaged_chain_is_reported_and_put_right(lab: Parties, damage: list[str]) -> None:
    lab.server.run(damage)
    reported = run_playbook("playbooks/smoke.yml")
    assert reported.exit_code != 0
    assert "SIP-" in reported.words
    assert "Run playbooks/host.yml" in reported.words
    repaired = deploy("playbooks/host.yml")
    assert repaired.changed == 2, "the firewall, and the timer that this test has stopped"
    deploy("playbooks/smoke.yml")


@pytest.fixture
def looks_often(lab: Parties) -> Iterator[None]:
    """The server looks at its firewall every three seconds, where sites have a minute."""
    with lab.server.hurried("callcenter-firewall-watch.timer"):
        yield


def test_what_somebody_flushed_comes_back_by_itself(lab: Parties, looks_often: None) -> None:
    before = lab.server.run(["iptables-save", "-t", "raw"]).count("SIP-STRANGERS")
    chains = "INPUT DOCKER-USER SIP-BLACKLIST SIP-GUARD SIP-UNHEARD"
    flush = f"for chain in {chains}; do iptables -F $chain; done; iptables -t raw -F SIP-ARRIVAL"
    lab.server.run(["sh", "-ec", f"{flush}; iptables -t raw -F SIP-STRANGERS; ipset destroy sip-unheard-v4"])
    lab.server.wait_until(lambda: is_guarded(lab), "the firewall", 120)
    assert lab.server.run(["iptables-save", "-t", "raw"]).count("SIP-STRANGERS") == before
    assert lab.server.entries("sip-unheard-v4") == []
    deploy("playbooks/smoke.yml")


def is_guarded(lab: Parties) -> bool:
    first = lab.server.run(["iptables", "-S", "DOCKER-USER"]).splitlines()[1:2]
    return first == ["-A DOCKER-USER -j SIP-BLACKLIST"]


def test_without_its_list_the_pbx_is_closed_and_opens_by_itself(lab: Parties, looks_often: None) -> None:
    """At a boot at which the sets cannot be made, nobody is let in; the server itself can be reached."""
    lab.server.run(["sh", "-c", f"cp {SETS_FILE} {SETS_FILE}.good; sed -i '1i garbage' {SETS_FILE}"])
    try:
        lab.server.reboot()
        lab.server.wait_until_healthy()
        assert lab.scanner.ask("OPTIONS", seconds=2) is None
        assert knock(lab.scanner.machine, lab.pbx.address, 22, 5) == "open"
        failed = lab.server.run(["systemctl", "is-failed", "callcenter-firewall-sets.service"])
        assert failed.strip() == "failed"
    finally:
        lab.server.run(["mv", f"{SETS_FILE}.good", SETS_FILE])
    lab.server.wait_until(lambda: lab.scanner.ask("OPTIONS", seconds=1) is not None, "an answer", 150)
    assert is_guarded(lab)
    deploy("playbooks/host.yml")
    deploy("playbooks/smoke.yml")


def test_smoke_takes_nothing_for_dropped_that_the_chain_did_not_drop(lab: Parties) -> None:
    """Every rule of ours stands where it should, and the packets of the trial never come there."""
    elsewhere = ["-s", "192.0.2.0/24", "-j", "DROP"]
    lab.server.run(["iptables", "-t", "raw", "-I", "PREROUTING", "2", *elsewhere])
    try:
        reported = run_playbook("playbooks/smoke.yml")
        assert reported.exit_code != 0
        assert "1 failed (ban: tried)" in reported.words
    finally:
        lab.server.run(["iptables", "-t", "raw", "-D", "PREROUTING", *elsewhere])
    deploy("playbooks/smoke.yml")


def test_smoke_is_not_misled_by_a_list_of_bogons(lab: Parties, list_as_before: None) -> None:
    """Such lists have the networks in them whose addresses the check sends from."""
    deploy(BLACKLIST, {"pbx_blacklist": ["192.0.2.0/24", "2001:db8::/32"]})
    assert "6 of 6 packets" in deploy("playbooks/smoke.yml").words
