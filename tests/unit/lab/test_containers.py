"""What makes a host be created anew."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest

from lab import containers, keys
from lab.hosts import PBX, SCANNER


@pytest.fixture(autouse=True)
def key_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Key files with fixed content instead of those of a real lab."""
    for name, attribute in (("client", "CLIENT_KEY"), ("host", "HOST_KEY")):
        (tmp_path / name).write_text(f"private {name}")
        (tmp_path / f"{name}.pub").write_text(f"ssh-ed25519 {name}key comment")
        monkeypatch.setattr(containers, attribute, tmp_path / name)
    return tmp_path


def fingerprint(address: str = PBX.address) -> str:
    """Fingerprint of the server at an address."""
    host = dataclasses.replace(PBX, address=address)
    return containers._fingerprint(containers._specification(host), host)


def test_fingerprint_is_stable() -> None:
    assert fingerprint() == fingerprint()


def test_fingerprint_changes_with_the_address() -> None:
    assert fingerprint() != fingerprint("198.18.0.11")


def test_fingerprint_of_the_server_changes_with_its_keys(key_pair: Path) -> None:
    before = fingerprint()
    (key_pair / "client.pub").write_text("ssh-ed25519 other comment")
    assert fingerprint() != before


def test_server_gets_exactly_the_files_it_needs() -> None:
    with tarfile.open(fileobj=io.BytesIO(containers._server_files())) as archive:
        modes = {member.name: oct(member.mode) for member in archive.getmembers()}
    assert modes == {
        "etc/ssh/ssh_host_ed25519_key": "0o600",
        "etc/ssh/ssh_host_ed25519_key.pub": "0o644",
        "home/deploy/.ssh/authorized_keys": "0o644",
        "home/sysadmin/.ssh/authorized_keys": "0o644",
    }


def test_only_the_server_has_wide_rights() -> None:
    assert containers._specification(SCANNER)["HostConfig"]["CapAdd"] == ["NET_ADMIN", "NET_RAW"]
    assert "SYS_ADMIN" in containers._specification(PBX)["HostConfig"]["CapAdd"]


def test_known_hosts_line_names_the_server_both_ways() -> None:
    assert keys.known_hosts_line("ssh-ed25519 AAAA me@here") == "lab-pbx,198.18.0.10 ssh-ed25519 AAAA\n"


@pytest.mark.parametrize(
    "has_ipv6, addresses",
    [
        (True, {"IPv4Address": "198.18.99.9", "IPv6Address": "2001:2::99:9"}),
        (False, {"IPv4Address": "198.18.99.9"}),
    ],
)
def test_host_gets_an_ipv6_address_where_the_machine_has_it(
    monkeypatch: pytest.MonkeyPatch, has_ipv6: bool, addresses: dict[str, str]
) -> None:
    monkeypatch.setattr(containers, "has_ipv6", lambda: has_ipv6)
    endpoints = containers._specification(SCANNER)["NetworkingConfig"]["EndpointsConfig"]
    assert endpoints["lab-sip"]["IPAMConfig"] == addresses
