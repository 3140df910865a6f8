"""What the module saves is what the host restores: the two meet only in names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import host as firewall_server
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import rules as firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.bans import BANS_FILE

FILES = Path(__file__).parents[4] / "roles" / "sip_firewall" / "files"
UNITS = ("callcenter-firewall-sets.service", "callcenter-firewall.service")
SCRIPT = (FILES / "callcenter-firewall").read_text(encoding="utf-8")


def test_script_reads_the_directory_the_module_writes() -> None:
    assert f"\nstate={firewall_server.STATE_DIR}\n" in SCRIPT
    # The bans' sets first: a list that is refused must not keep them away.
    assert SCRIPT.index(f'restore < "$state/{BANS_FILE}"') < SCRIPT.index('restore < "$state/sets"')


@pytest.mark.parametrize("program", firewall_server.PROGRAMS.values())
def test_script_restores_the_rules_of_each_ip_version(program: str) -> None:
    assert f"restore_rules {program}\n" in SCRIPT


@pytest.mark.parametrize(
    "chain", [firewall.BLACKLIST, firewall.LOCAL, firewall.GUARD, firewall.OPEN, firewall.DOCKER_USER]
)
def test_script_knows_the_chain(chain: str) -> None:
    assert f" {chain}" in SCRIPT


def test_script_is_valid_posix_shell() -> None:
    subprocess.run(["/bin/sh", "-n", FILES / "callcenter-firewall"], check=True)


@pytest.mark.parametrize("unit", UNITS)
def test_units_wait_for_what_the_module_saves(unit: str) -> None:
    text = (FILES / unit).read_text(encoding="utf-8")
    saved = "iptables" if "rules" in text.split("ExecStart=")[1] else "sets"
    assert f"ConditionPathExists={firewall_server.STATE_DIR}/{saved}\n" in text


def test_rules_are_in_place_before_docker_and_restored_with_it() -> None:
    text = (FILES / "callcenter-firewall.service").read_text(encoding="utf-8")
    assert "\nBefore=docker.service\n" in text
    assert "\nPartOf=docker.service\n" in text
    assert "\nRequires=callcenter-firewall-sets.service\n" in text


@pytest.mark.parametrize("unit", UNITS)
def test_what_fails_closes_the_ports(unit: str) -> None:
    text = (FILES / unit).read_text(encoding="utf-8")
    assert "\nOnFailure=callcenter-firewall-closed.service\n" in text


def test_ports_to_close_are_read_from_what_the_module_saves() -> None:
    """Without sets; a comment tells these rules from others."""
    saved = firewall.saved_rules(4, firewall.Ports(5080, 20000, 20100), False)
    command = "s/.* --dports \\([^ ]*\\) .*/\\1/p"
    assert command in SCRIPT
    printed = subprocess.run(
        ["sed", "-n", command], input="\n".join(saved), capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines()[0] == "5080,20000:20100"
