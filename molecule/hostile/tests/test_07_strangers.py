"""What strangers send neither silences the PBX nor gets them audio; whoever is known notices nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.driver.agents import Talk
from lab.driver.attacks import (
    call_out,
    cancels,
    echo,
    flood_forged,
    forge,
    hold_connections,
    knock,
    offend,
    steal_audio,
    strays,
)
from lab.driver.capture import Recording, record
from lab.driver.held import held_call
from lab.driver.machine import Process
from lab.driver.parties import Parties
from lab.driver.playbook import run_playbook

BEHIND_ROUTER = Talk(seconds=5, media_host="10.99.99.99")
"""A phone that names an address of its LAN: the PBX has to learn from where it hears it."""
RTP = (10000, 10100)


def rtp_to(recorded: Recording, address: str) -> int:
    """How many packets of audio an address got."""
    return sum(flow.packets for flow in recorded.flows if flow.destination.host == address)


@pytest.fixture(autouse=True)
def nobody_is_noted(lab: Parties) -> None:
    lab.server.run(["sh", "-ec", "ipset flush sip-unheard-v4; ipset flush sip-stray-v4"])


class TestAnswers:
    def test_nothing_goes_where_a_stranger_points(self, lab: Parties) -> None:
        with record(lab.phone_100.machine, lab.scanner.machine) as recorded:
            cancels(lab.scanner.machine, lab.pbx, lab.phone_100.machine.address, count=30, rate=30).wait(60)
        reflected = [
            item for item in recorded.of(lab.phone_100.machine).sip if "cancel-" in item.message.call_id
        ]
        assert reflected == []

    @pytest.mark.parametrize("last", [252, 253, 254, 255])
    def test_a_burst_that_asks_for_answers_to_nobody_silences_nobody(self, lab: Parties, last: int) -> None:
        network = lab.server.run(["docker", "inspect", "-f", NETWORK, "callcenter-asterisk"]).strip()
        target = f"{network.rpartition('.')[0]}.{last}"
        burst = cancels(lab.scanner.machine, lab.pbx, target)
        with record(lab.phone_100.machine) as recorded:
            assert lab.phone_100.call("101", Talk(seconds=1)).wait().status == 200
        burst.wait(60)
        assert repeated_invites(recorded.of(lab.phone_100.machine)) <= 2

    def test_a_forged_neighbour_of_the_container_is_not_answered(self, lab: Parties) -> None:
        address = lab.server.run(["docker", "inspect", "-f", ADDRESS, "callcenter-asterisk"]).strip()
        mark = lab.server.log_size()
        forge(lab.scanner.machine, lab.pbx, address, method="INVITE", count=20).wait(60)
        assert lab.phone_100.call("101", Talk(seconds=1)).wait().status == 200
        assert f"failed for '{address}:" not in lab.server.log_since(mark)


NETWORK = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


def repeated_invites(recorded: Recording) -> int:
    """How often the first INVITE of this host had to be sent again."""
    first = [
        item
        for item in recorded.sip
        if item.message.start_line.startswith("INVITE ") and item.message.header("cseq") == "1 INVITE"
    ]
    return max(0, len(first) - 1)


class TestAudio:
    def test_an_outsider_neither_hears_nor_takes_the_place_of_a_phone(self, lab: Parties) -> None:
        """The phone is behind a router, so the PBX cannot know its address before it hears it."""
        thief = steal_audio(lab.scanner.machine, lab.pbx, RTP, 12)
        with record(lab.phone_100.machine, lab.phone_101.machine) as recorded:
            assert lab.phone_100.call("101", BEHIND_ROUTER).wait().status == 200
        assert thief.wait(60) == 0
        assert int(thief.output) == 0, "packets that the outsider got back"
        heard = rtp_to(recorded.of(lab.phone_100.machine), lab.phone_100.machine.address)
        assert heard > 200, "of 250 that the other phone echoed"
        assert lab.scanner.machine.address in lab.server.entries("sip-unheard-v4")
        blocked = run_playbook("playbooks/blocked.yml")
        assert "belong into its media_networks" in blocked.words
        smoke = run_playbook("playbooks/smoke.yml")
        assert smoke.exit_code == 0, smoke.output
        assert f"dropped within the hour ({lab.scanner.machine.address})" in smoke.words

    def test_a_running_call_is_not_disturbed(self, lab: Parties) -> None:
        with held_call(lab) as held:
            thief = steal_audio(lab.scanner.machine, lab.pbx, RTP, 5)
            assert thief.wait(60) == 0
        assert int(thief.output) == 0
        held.assert_nothing_was_lost()

    def test_a_phone_is_known_from_its_password_on(self, lab: Parties) -> None:
        address = lab.phone_100.machine.address
        lab.server.run(["ipset", "del", "sip-known-v4", address])
        lab.server.run(["systemctl", "restart", "callcenter-known"])
        lab.server.wait_until(lambda: address in lab.server.entries("sip-known-v4"), "the registered phone")

    def test_a_wrong_password_makes_nobody_known(self, lab: Parties) -> None:
        offend(lab.scanner.machine, lab.pbx, "guess", most=5)
        assert lab.scanner.machine.address not in lab.server.entries("sip-known-v4")


class TestConnections:
    @pytest.fixture
    def idle(self, lab: Parties) -> Iterator[int]:
        """How many of eleven hundred idle connections one stranger holds."""
        holder = hold_connections(lab.scanner.machine, lab.pbx, 1100, 60)
        lab.server.wait_until(lambda: holder.output.strip() != "", "the connections")
        yield int(holder.output)
        holder.stop()

    def test_a_stranger_does_not_close_the_door(self, lab: Parties, idle: int) -> None:
        assert 0 < idle <= 10
        assert knock(lab.phone_100.machine, lab.pbx.address, lab.pbx.sip_port, 5) == "open"


class TestFloods:
    def test_calls_go_on_in_a_flood_of_strangers(self, lab: Parties) -> None:
        with held_call(lab) as held:
            flood = flood_forged(lab.scanner.machine, lab.pbx, rate=10_000, seconds=20)
            statuses = [lab.phone_100.call("101", Talk(seconds=1)).wait().status for _ in range(5)]
            assert (
                lab.umatilla.call("+19863334949", Talk(seconds=1), caller="+15550107777").wait().status == 200
            )
            assert flood.wait(60) == 0
        assert int(flood.output) > 50_000, "sent"
        assert statuses == [200] * 5
        held.assert_nothing_was_lost()
        tracked = int(lab.server.run(["sysctl", "-n", "net.netfilter.nf_conntrack_count"]))
        assert tracked < 10_000, "of a flood from changing ports"


class TestStrays:
    """What begins nothing: Asterisk does not log it, so no log tells of it."""

    @pytest.mark.parametrize("kind", ["BYE", "ACK", "CANCEL", "response", "rubbish"])
    def test_who_sends_them_is_not_heard_for_a_while(self, lab: Parties, kind: str) -> None:
        scanner = lab.scanner.machine
        assert lab.scanner.ask("OPTIONS", seconds=5) is not None
        assert strays(scanner, lab.pbx, kind).wait(60) == 0
        assert scanner.address in lab.server.entries("sip-stray-v4")
        assert lab.scanner.ask("OPTIONS", seconds=1) is None
        assert "they answered what nobody asked" in run_playbook("playbooks/blocked.yml").words
        lab.server.run(["ipset", "del", "sip-stray-v4", scanner.address])
        assert lab.scanner.ask("OPTIONS", seconds=5) is not None

    def test_a_few_are_nothing(self, lab: Parties) -> None:
        assert strays(lab.phone_101.machine, lab.pbx, "ACK").wait(60) == 0
        assert lab.server.entries("sip-stray-v4") == [], "a phone that is known is no stranger"
        time.sleep(15)  # of earlier strays: one is forgotten each three seconds
        assert strays(lab.scanner.machine, lab.pbx, "ACK", count=4).wait(60) == 0
        assert lab.scanner.ask("OPTIONS", seconds=5) is not None


class TestForgedCarrier:
    """A carrier is believed by its address, which anybody can write."""

    @pytest.fixture
    def calls_in_its_name(self, lab: Parties) -> Iterator[Process]:
        """Calls that nobody has placed, 30 a second; whoever is rung answers, and no ACK comes."""
        forged = forge(
            lab.scanner.machine,
            lab.pbx,
            lab.ashburn.machine.address,
            method="INVITE",
            number="+19863334949",
            count=10_000,
            rate=30,
        )
        lab.server.wait_until(lambda: lab.server.channels() >= 8, "calls in the carrier's name")
        yield forged
        forged.stop()
        # A call that is answered and whose ACK never comes ends by itself, long before it rings out.
        lab.server.wait_until_idle()

    def test_phones_and_emergency_calls_find_a_place(self, lab: Parties, calls_in_its_name: Process) -> None:
        most = 2 * (lab.model["pbx_max_calls"] - lab.model["pbx_max_calls"] // 5)
        for _ in range(3):
            assert lab.phone_101.call("911", Talk(seconds=1)).wait().status == 200
            assert lab.phone_100.call("101", Talk(seconds=1)).wait().status == 200
            # A call that is being refused has a channel for a moment, too.
            assert lab.server.channels() <= most + 4
        assert calls_in_its_name.exit_code is None, "they came all the time"

    def test_a_flood_in_its_name_leaves_a_call_its_audio(self, lab: Parties) -> None:
        carrier = lab.ashburn.machine
        with record(carrier) as recorded, held_call(lab) as held:
            began = time.monotonic()
            flood = forge(
                lab.scanner.machine, lab.pbx, carrier.address, method="OPTIONS", count=10_000, rate=2_000
            )
            assert flood.wait(120) == 0
            seconds = time.monotonic() - began
            assert lab.phone_100.call("101", Talk(seconds=1)).wait().status == 200
        held.assert_nothing_was_lost()
        answers = [
            item
            for item in recorded.of(carrier).sip
            if item.message.call_id.startswith(f"forged-{carrier.address}")
        ]
        assert 0 < len(answers) <= 400 + 200 * (seconds + 1), "200 a second, after 400 at once"


class TestBans:
    def test_a_ban_binds_sip_and_audio_alone(self, lab: Parties) -> None:
        # Some lines of the floods are still to be read. Ten seconds are promised; slow machines have twenty.
        assert offend(lab.scanner.machine, lab.pbx, "guess", most=200).was_cut_off
        assert lab.scanner.ask("OPTIONS", seconds=1) is None
        assert knock(lab.scanner.machine, lab.pbx.address, 22, 5) == "open"

    def test_a_phone_cannot_be_silenced_in_its_name(self, lab: Parties) -> None:
        address = lab.phone_100.machine.address
        forge(lab.scanner.machine, lab.pbx, address, count=40).wait(60)
        lab.server.run(["fail2ban-client", "set", "sip-enumeration", "banip", address])
        assert address not in lab.server.banned()
        assert lab.phone_100.call("101", Talk(seconds=1)).wait().status == 200


METADATA = "169.254.169.254"
PRIVATE = "10.77.7.2"
# A host beside the server, as it sees the cloud's own.
CLOUD = f"""
ip netns add cloud && ip link add cloud0 type veth peer name cloud1 netns cloud
ip address add 169.254.169.253/30 dev cloud0 && ip link set cloud0 up
ip -n cloud address add {METADATA}/30 dev cloud1 && ip -n cloud link set cloud1 up
ip address add 10.77.7.1/30 dev cloud0 && ip -n cloud address add {PRIVATE}/30 dev cloud1
"""


OF_THE_SERVER = "/root/of-the-server"


def inside(lab: Parties) -> tuple[str, ...]:
    """What runs a command of the server in the network of the PBX's container."""
    return ("nsenter", "--target", str(lab.server.container_state()["Pid"]), "--net")


class TestContainer:
    @pytest.fixture
    def cloud(self, lab: Parties) -> Iterator[None]:
        """At the address where clouds hand out credentials, somebody answers."""
        leave = "pkill -f '[h]ttp.server --bind'; ip link del cloud0; ip netns del cloud; true"
        lab.server.run(["sh", "-c", f"({leave}) 2>/dev/null"])
        lab.server.run(["sh", "-ec", CLOUD])
        listen = ["ip", "netns", "exec", "cloud", "python3", "-m", "http.server", "--bind", METADATA, "80"]
        service = lab.server.start(listen, "metadata")
        lab.server.wait_until(lambda: knock(lab.server, METADATA, 80) == "open", "the cloud's service")
        yield
        service.stop()
        lab.server.run(["sh", "-c", leave])

    def test_a_taken_over_container_gets_no_credentials_of_the_cloud(self, lab: Parties, cloud: None) -> None:
        assert knock(lab.server, METADATA, 80, 3, inside(lab)) == "silence"

    def test_a_taken_over_container_sends_nothing_into_private_networks(
        self, lab: Parties, cloud: None
    ) -> None:
        service = echo(lab.server, PRIVATE, 5070, ("ip", "netns", "exec", "cloud"))
        try:
            lab.server.wait_until(lambda: call_out(lab.server, PRIVATE, 5070) == "answer", "a private host")
            assert call_out(lab.server, PRIVATE, 5070, 2, inside(lab)) == "silence"
        finally:
            service.stop()

    def test_a_taken_over_container_connects_to_nobody_else(self, lab: Parties) -> None:
        somebody = lab.scanner.machine
        service = somebody.start(["python3", "-m", "http.server", "5070"], "service")
        try:
            lab.server.wait_until(
                lambda: knock(lab.server, somebody.address, 5070) == "open", "a service elsewhere"
            )
            assert knock(lab.server, somebody.address, 5070, 3, inside(lab)) == "silence"
            assert knock(somebody, lab.pbx.address, 22) == "open"
            assert knock(lab.server, lab.pbx.address, 22, 3, inside(lab)) == "silence"
        finally:
            service.stop()

    @pytest.mark.parametrize("trap", [f"ln -s {OF_THE_SERVER}", "mkfifo"], ids=["link", "pipe"])
    def test_what_it_puts_where_its_log_was_harms_nothing(self, lab: Parties, trap: str) -> None:
        as_asterisk = "cd /opt/callcenter/logs; setpriv --reuid 15060 --regid 15060 --clear-groups"
        lab.server.run(["sh", "-ec", f"umask 077; echo secret > {OF_THE_SERVER}"])
        lab.server.run(["sh", "-ec", f"{as_asterisk} sh -c 'mv messages away; {trap} messages'"])
        try:
            smoke = run_playbook("playbooks/smoke.yml")
            assert smoke.exit_code != 0
            assert "/opt/callcenter/logs/messages: is no regular file" in smoke.words
            run_playbook("playbooks/pbx.yml")
            assert lab.server.run(["stat", "-c", "%U %a", OF_THE_SERVER]).split() == ["root", "600"]
        finally:
            lab.server.run(["sh", "-ec", f"{as_asterisk} mv away messages; rm {OF_THE_SERVER}"])
