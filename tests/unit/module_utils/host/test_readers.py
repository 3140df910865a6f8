"""The survey's readers, each against the text or reply it is given on real hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.host import readers as host_state

TRIXIE = """PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
ID=debian
# a comment
BUG_REPORT_URL="https://bugs.debian.org/"
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            TRIXIE,
            {"id": "debian", "version_id": "13", "pretty_name": "Debian GNU/Linux 13 (trixie)"},
            id="trixie",
        ),
        pytest.param(
            "ID=arch\nVERSION_ID=", {"id": "arch", "version_id": "", "pretty_name": ""}, id="no version"
        ),
        pytest.param(
            'ID="broken\nVERSION_ID=1', {"id": "", "version_id": "1", "pretty_name": ""}, id="bad quote"
        ),
        pytest.param("", {"id": "", "version_id": "", "pretty_name": ""}, id="empty"),
    ],
)
def test_parse_os_release(text: str, expected: dict[str, str]) -> None:
    assert host_state.parse_os_release(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ipset\tinstalled\t7.22-1\n", {"ipset": "7.22-1", "ufw": None}, id="one of two"),
        pytest.param("ufw\tconfig-files\t0.36\n", {"ipset": None, "ufw": None}, id="removed, not purged"),
        pytest.param("", {"ipset": None, "ufw": None}, id="no dpkg"),
    ],
)
def test_parse_packages(text: str, expected: dict[str, str | None]) -> None:
    assert host_state.parse_packages(text, ["ipset", "ufw"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "ActiveState=active\nUnitFileState=enabled\n\nActiveState=inactive\nUnitFileState=\n",
            {
                "a.service": {"active": True, "enabled": True},
                "b.service": {"active": False, "enabled": False},
            },
            id="running and unknown",
        ),
        pytest.param(
            "UnitFileState=disabled\nActiveState=failed\n\nActiveState=reloading\nUnitFileState=static\n",
            {
                "a.service": {"active": False, "enabled": False},
                "b.service": {"active": True, "enabled": True},
            },
            id="failed and reloading",
        ),
        pytest.param(
            "",
            {
                "a.service": {"active": False, "enabled": False},
                "b.service": {"active": False, "enabled": False},
            },
            id="no systemd",
        ),
    ],
)
def test_parse_units(text: str, expected: dict[str, dict[str, bool]]) -> None:
    assert host_state.parse_units(text, ["a.service", "b.service"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"debug": true}', ({"debug": True}, None), id="object"),
        pytest.param("\n", ({}, None), id="empty file"),
        pytest.param("[1]", ({}, "the top level is a list, not an object"), id="not an object"),
    ],
)
def test_parse_daemon_config(text: str, expected: tuple[dict[str, Any], str | None]) -> None:
    assert host_state.parse_daemon_config(text) == expected


def test_broken_daemon_config_names_the_place() -> None:
    parsed, error = host_state.parse_daemon_config('{\n "debug": true\n "hosts": []\n}')
    assert parsed == {}
    assert error == "line 3, column 2: Expecting ',' delimiter"


@pytest.mark.parametrize(
    ("info", "config", "expected"),
    [
        pytest.param(None, {}, None, id="no engine, nothing configured"),
        pytest.param(None, {"firewall-backend": "nftables"}, "nftables", id="configured only"),
        pytest.param({}, {}, "iptables", id="engine older than the choice"),
        pytest.param({"FirewallBackend": None}, {}, "iptables", id="engine without a firewall"),
        pytest.param({"FirewallBackend": {"Driver": "nftables"}}, {}, "nftables", id="nftables"),
        pytest.param(
            {"FirewallBackend": {"Driver": "iptables+firewalld"}}, {}, "iptables", id="beside firewalld"
        ),
        pytest.param(
            {"FirewallBackend": {"Driver": "iptables"}},
            {"firewall-backend": "nftables"},
            "iptables",
            id="what runs wins over what is configured",
        ),
    ],
)
def test_firewall_backend(info: dict[str, Any] | None, config: dict[str, Any], expected: str | None) -> None:
    assert host_state.firewall_backend(info, config) == expected


def test_image_view() -> None:
    inspected = {"Id": "sha256:0f", "Size": 5, "Config": {"Labels": {"a": "b"}}, "Os": "linux"}
    assert host_state.image_view(inspected) == {
        "present": True,
        "id": "sha256:0f",
        "size": 5,
        "labels": {"a": "b"},
    }
    assert host_state.image_view(None) == {"present": False, "id": None, "size": None, "labels": {}}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            {"Running": True, "Health": {"Status": "healthy"}, "StartedAt": "t"},
            {"running": True, "health": "healthy", "started_at": "t"},
            id="healthy",
        ),
        pytest.param(
            {"Running": True, "Health": {"Status": "none"}},
            {"running": True, "health": None, "started_at": None},
            id="check switched off",
        ),
        pytest.param(
            {"Running": False}, {"running": False, "health": None, "started_at": None}, id="stopped"
        ),
    ],
)
def test_container_view(state: dict[str, Any], expected: dict[str, Any]) -> None:
    view = host_state.container_view(
        {"State": state, "Image": "sha256:0f", "Config": {"Image": "app:1", "Labels": None}}
    )
    assert view == {"exists": True, "image": "app:1", "image_id": "sha256:0f", "labels": {}, **expected}


def test_absent_container_has_every_field() -> None:
    present = host_state.container_view({"State": {}, "Config": {}})
    absent = host_state.container_view(None)
    assert absent.keys() == present.keys()
    assert absent["exists"] is False


def test_astray_names_what_has_another_owner_or_mode() -> None:
    found: dict[str, dict[str, Any]] = {
        "/a": {"exists": True, "uid": 0, "gid": 0, "mode": "0644"},
        "/b": {"exists": True, "uid": 0, "gid": 7, "mode": "0750"},
        "/c": {"exists": False, "uid": None, "gid": None, "mode": None},
    }
    wanted: list[dict[str, Any]] = [
        {"path": "/a", "mode": "0644"},
        {"path": "/b", "owner": 7},
        {"path": "/c", "mode": "0600"},
    ]
    assert [one["path"] for one in host_state.astray(wanted, found)] == ["/b"]
    found["/a"]["mode"] = "0666"
    assert [one["path"] for one in host_state.astray(wanted, found)] == ["/a", "/b"]
