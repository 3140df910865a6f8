"""What somebody changed on the server by hand: the smoke checks say so, the next run puts it right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from lab.driver.held import held_call
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed, run_playbook
from lab.driver.server import CONTAINER

OWNERS = {
    "/opt/callcenter/compose.yml": "644 0:0",
    "/opt/callcenter/docker/asterisk": "755 0:0",
    "/opt/callcenter/docker/asterisk/releases": "750 0:15060",
    "/opt/callcenter/docker/asterisk/config/": "750 0:15060",
    "/opt/callcenter/docker/asterisk/config/pjsip_auth.conf": "640 0:15060",
    "/opt/callcenter/state": "750 15060:15060",
    "/opt/callcenter/state/astdb": "750 15060:15060",
    "/opt/callcenter/logs": "750 15060:15060",
    "/etc/logrotate.d/callcenter": "644 0:0",
    "/etc/fail2ban/jail.d/callcenter-sip.conf": "644 0:0",
    "/usr/local/sbin/callcenter-ban": "755 0:0",
    "/usr/local/sbin/callcenter-firewall": "755 0:0",
    "/etc/systemd/system/callcenter-firewall.service": "644 0:0",
}
DAEMON_CONFIG = PurePosixPath("/etc/docker/daemon.json")
PBX = "/opt/callcenter/docker/asterisk/config/pjsip_wizard.conf"


def owners(lab: Parties) -> dict[str, str]:
    """Mode and owner of each path."""
    out = lab.server.run(["stat", "-L", "-c", "%n %a %u:%g", *OWNERS])
    return {path: rest for path, _, rest in (line.partition(" ") for line in out.splitlines())}


def test_owner_and_mode_are_put_right_and_then_left_alone(lab: Parties) -> None:
    before = lab.server.container_state()
    lab.server.run(["chmod", "0666", *OWNERS])
    lab.server.run(["chown", "1000:1000", *OWNERS])
    assert set(owners(lab).values()) == {"666 1000:1000"}
    for playbook in ("playbooks/host.yml", "playbooks/pbx.yml"):
        run = run_playbook(playbook)
        assert run.exit_code == 0, run.output
    assert owners(lab) == OWNERS
    assert lab.server.container_state()["Id"] == before["Id"]
    again = run_playbook("site.yml")
    assert (again.exit_code, again.changed) == (0, 0), again.output


@pytest.fixture
def edited(lab: Parties) -> Iterator[None]:
    """A file of the release with a line of somebody else's."""
    lab.server.run(["sh", "-c", f"echo '; mine' >> {PBX}"])
    yield
    assert run_playbook("playbooks/pbx.yml").exit_code == 0


@pytest.mark.usefixtures("edited")
def test_smoke_names_a_file_edited_on_the_server(lab: Parties) -> None:
    smoke = run_playbook("playbooks/smoke.yml")
    assert smoke.exit_code != 0
    assert "pjsip_wizard.conf was edited on the server" in smoke.words
    assert lab.server.run(["tail", "-1", PBX]).strip() == "; mine", "smoke checks change nothing"


def test_smoke_names_what_the_inventory_says_and_the_server_does_not_have_yet(lab: Parties) -> None:
    mine = {"pbx_outbound": {**lab.model["pbx_outbound"], "ring_seconds": 25}}
    with redeployed("playbooks/pbx.yml", mine):
        smoke = run_playbook("playbooks/smoke.yml")
        assert smoke.exit_code == 0, smoke.output
        assert "pbx_outbound is not what was deployed last" in smoke.words
    assert "is not what was deployed last" not in run_playbook("playbooks/smoke.yml").words


def test_smoke_names_what_a_container_left_on_the_network_and_its_remedy_works(lab: Parties) -> None:
    """A network interface that Docker forgot answers in the PBX's name: here it is one made by hand."""
    bridge = next(line.split()[2] for line in routes(lab) if line.startswith("172.30.255.252/30"))
    add = "ip link add left type veth peer name behind; ip link set left master"
    lab.server.run(["sh", "-ec", f"{add} {bridge} up"])
    try:
        smoke = run_playbook("playbooks/smoke.yml")
        assert smoke.exit_code != 0
        assert "left: left on the container's network by one that is gone" in smoke.words
        assert "On the server: `ip link delete left`" in smoke.words
    finally:
        lab.server.run(["ip", "link", "delete", "left"])
    assert run_playbook("playbooks/smoke.yml").exit_code == 0


def routes(lab: Parties) -> list[str]:
    return lab.server.run(["ip", "route"]).splitlines()


@pytest.fixture
def other_container(lab: Parties) -> Iterator[str]:
    """A container of somebody else with a published port, under an engine that has settings of its own."""
    settings = json.loads(lab.server.read(DAEMON_CONFIG))
    settings.pop("live-restore", None)
    settings["log-opts"]["max-size"] = "11m"
    lab.server.write(DAEMON_CONFIG, json.dumps(settings).encode())
    # An engine that comes back without live-restore ends what still runs, and forgets to remove its network:
    # an interface with the address of the PBX would stay on the bridge, and refuse every other packet.
    lab.server.run(["docker", "stop", CONTAINER])
    lab.server.restart_docker()
    lab.server.run(["docker", "start", CONTAINER])
    lab.server.wait_until_healthy()
    image = lab.server.run(["docker", "inspect", "--format", "{{.Image}}", CONTAINER]).strip()
    options = ["--detach", "--name", "other", "--publish", "8080:8080/udp", "--entrypoint", "sleep"]
    lab.server.run(["docker", "run", *options, image, "infinity"])
    yield "other"
    lab.server.run(["docker", "rm", "--force", "other"])
    assert run_playbook("playbooks/host.yml").exit_code == 0


def test_containers_and_calls_outlive_new_settings_of_the_engine(lab: Parties, other_container: str) -> None:
    started = [state_of(lab, name) for name in (CONTAINER, other_container)]
    lab.switch_on()
    engine = lab.server.run(["pidof", "dockerd"])
    with held_call(lab) as held:
        run = run_playbook("playbooks/host.yml")
        assert run.exit_code == 0, run.output
    assert lab.server.run(["pidof", "dockerd"]) != engine, "these settings need a restart of the engine"
    assert [state_of(lab, name) for name in (CONTAINER, other_container)] == started
    held.assert_nothing_was_lost()


def state_of(lab: Parties, name: str) -> str:
    """Which process a container runs since when."""
    return lab.server.run(["docker", "inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}}", name])
