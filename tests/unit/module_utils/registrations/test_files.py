"""The capture files: private, complete when read, bounded, and gone in the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import AsteriskCli
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.conf import sections
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations import (
    files as registration_capture,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations import judge
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.files import NAME, CaptureFiles
from ansible_collections.callcenter.pbx.plugins.module_utils.release.plan import startup_commands
from ansible_collections.callcenter.pbx.plugins.modules.registrations import list_contacts

from tests.golden.render import OVERLAP, golden


@pytest.fixture
def captures(tmp_path: Path) -> CaptureFiles:
    return CaptureFiles(tmp_path, os.getuid(), os.getgid())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_is_private_and_one_that_is_there_is_kept(captures: CaptureFiles, tmp_path: Path) -> None:
    path = tmp_path / NAME
    captures.prepare()
    assert (mode(path), path.read_bytes()) == (0o640, b"")
    path.write_bytes(b"kept")
    path.chmod(0o644)
    captures.prepare()
    assert (mode(path), path.read_bytes()) == (0o640, b"kept")


def test_without_a_log_directory_nothing_is_made(tmp_path: Path) -> None:
    missing = CaptureFiles(tmp_path / "logs", os.getuid(), os.getgid())
    missing.prepare()
    assert missing.read() == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_set_aside_is_still_written_to_and_read(captures: CaptureFiles, tmp_path: Path) -> None:
    captures.prepare()
    with (tmp_path / NAME).open("wb") as written:
        captures.set_aside()
        written.write(b"first")
    (tmp_path / NAME).write_bytes(b"second")
    captures.set_aside()
    assert [content for content in captures.read() if content] == [b"first", b"second"]
    assert {mode(path) for path in tmp_path.iterdir()} == {0o640}


def test_pruning_keeps_the_newest_and_what_asterisk_writes_to(
    captures: CaptureFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration_capture, "MOST_BYTES", 100)
    for age, name, size in ((4, "old", 60), (3, "empty", 24), (2, "new", 60), (1, "", 0)):
        path = tmp_path / (f"{NAME}.{name}" if name else NAME)
        path.write_bytes(bytes(size))
        os.utime(path, (1000 - age, 1000 - age))
    captures.prune()
    assert {path.name for path in tmp_path.iterdir()} == {NAME, f"{NAME}.new"}


def test_removing_leaves_other_logs(captures: CaptureFiles, tmp_path: Path) -> None:
    captures.prepare()
    captures.set_aside()
    (tmp_path / "messages").touch()
    captures.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["messages"]


COMMANDS = startup_commands(golden(OVERLAP))


class Console:
    """Asterisk's console, which looks at the files when it is asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[list[str]] = []
        self.files = 0

    def run(self, commands: list[str]) -> list[str]:
        self.asked.append(commands)
        self.files = len(list(self.directory.iterdir()))
        return ["contacts", *("" for _ in commands[1:])]


def test_asterisk_begins_anew_between_setting_aside_and_pruning(
    captures: CaptureFiles, tmp_path: Path
) -> None:
    captures.prepare()
    console = Console(tmp_path)
    assert list_contacts(cast(AsteriskCli, console), captures, COMMANDS) == "contacts"
    assert console.asked == [["database show registrar", *COMMANDS]]
    assert (console.files, [path.name for path in tmp_path.iterdir()]) == (2, [NAME])


def test_without_an_overlap_nothing_is_touched(captures: CaptureFiles, tmp_path: Path) -> None:
    console = Console(tmp_path)
    assert list_contacts(cast(AsteriskCli, console), captures, ()) == "contacts"
    assert (console.asked, console.files) == ([["database show registrar"]], 0)


def test_what_is_deployed_records_registrations_only_and_to_the_file_that_is_read() -> None:
    assert list(COMMANDS) == [
        "pjsip set logger verbose off",
        f"pjsip set logger pcap /var/log/asterisk/{NAME}",
        "pjsip set logger method REGISTER",
    ]


def test_registrations_last_as_long_as_the_phones_are_given() -> None:
    phone = next(s for s in sections(golden("lab"), "pjsip_wizard.conf") if s.name == "100")
    bounds = [int(phone.get(f"aor/{which}_expiration")) for which in ("minimum", "default", "maximum")]
    assert bounds == [judge._SHORTEST, judge._USUAL, judge._LONGEST]
