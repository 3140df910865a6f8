"""Name servers that containers can reach, and how root's rights are got."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import system
from lab.console import Console, LabError


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["nameserver 192.0.2.53\n"], ["192.0.2.53"], id="plain"),
        pytest.param(
            ["nameserver 192.0.2.53\nnameserver 192.0.2.54\n"], ["192.0.2.53", "192.0.2.54"], id="two"
        ),
        pytest.param(
            ["nameserver 127.0.0.53\n", "nameserver 192.0.2.1\n"], ["192.0.2.1"], id="systemd-resolved"
        ),
        pytest.param(["nameserver 127.0.0.1\nnameserver 192.0.2.1\n"], ["192.0.2.1"], id="mixed"),
        pytest.param(["nameserver 2001:db8::53\n"], [], id="ipv6-only"),
        pytest.param(["nameserver\n# nameserver 192.0.2.1\nsearch example.org\n"], [], id="nothing"),
        pytest.param(["nameserver fe80::1%eth0\n"], [], id="link-local"),
        pytest.param([], [], id="no-file"),
    ],
)
def test_nameservers(tmp_path: Path, texts: list[str], expected: list[str]) -> None:
    files = [tmp_path / str(number) for number in range(2)]
    for path, text in zip(files, texts, strict=False):
        path.write_text(text)
    assert system.nameservers(files) == expected


def test_root_runs_commands_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert system.as_root(["true"]) == ["true"]


def test_user_runs_commands_through_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/sudo")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert system.as_root(["true"]) == ["sudo", "-n", "true"]


def test_user_without_sudo_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(LabError, match="root is needed to run apt-get"):
        system.as_root(["apt-get"])


def test_missing_program_without_apt_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(LabError, match="mmdebstrap openssh-client"):
        system.ensure_programs({"ssh": "openssh-client", "mmdebstrap": "mmdebstrap"}, Console())
