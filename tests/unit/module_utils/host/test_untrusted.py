"""A container that was taken over puts links, pipes and endless files where the server reads and writes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.host import untrusted
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.files import NAME, CaptureFiles
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.refused_offers import (
    Offer,
    Refusal,
    explain,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke import probe
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Check,
    Evidence,
    Outcome,
    Problem,
    run_checks,
)

from tests.unit.plugin_utils.smoke.test_checks import PROBES, WANTED, sound


def link(path: Path) -> None:
    path.symlink_to(path.parent.parent / "of-the-host")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.bind(str(path))


TRAPS: dict[str, Callable[[Path], None]] = {
    "link": link,
    "pipe": os.mkfifo,
    "directory": Path.mkdir,
    "socket": listening,
}


@pytest.fixture(params=TRAPS.values(), ids=list(TRAPS))
def trap(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a log should be, and is not; a link leads to a file of the host."""
    (tmp_path / "of-the-host").write_text("secret")
    (tmp_path / "of-the-host").chmod(0o600)
    logs = tmp_path / "logs"
    logs.mkdir()
    request.param(logs / "messages")
    return logs / "messages"


def test_only_a_regular_file_is_read(trap: Path) -> None:
    with pytest.raises(OSError, match="is no regular file"):
        untrusted.read_end(trap, 100)
    assert not untrusted.is_regular(trap)


def test_smoke_names_it_and_reads_nothing(trap: Path) -> None:
    found = probe._log(trap)
    assert found == {
        "path": str(trap),
        "error": "is no regular file: only somebody in the container can have done that",
    }


def test_of_a_file_without_end_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
        stream.seek(0, os.SEEK_END)
        stream.write(b"last")
    status, end = untrusted.read_end(path, 8)
    assert (status.st_size, end) == ((1 << 40) + 4, b"\0\0\0\0last")


@pytest.mark.parametrize("make", [link, os.mkfifo], ids=["link", "pipe"])
def test_a_recording_is_made_beside_what_somebody_put_there(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    host, logs = tmp_path / "of-the-host", tmp_path / "logs"
    host.write_text("secret")
    host.chmod(0o600)
    logs.mkdir()
    make(logs / NAME)
    captures = CaptureFiles(logs, os.getuid(), os.getgid())
    assert captures.read() == []
    captures.set_aside()
    assert untrusted.is_regular(logs / NAME)
    assert (host.stat().st_mode & 0o777, host.read_text()) == (0o600, "secret")
    captures.remove()
    assert host.exists()


def test_what_a_terminal_would_obey_is_spelt() -> None:
    assert untrusted.printable("Jürgen 中 a\x1b[2Jb\nc\x9bd\u202ee\u2028") == (
        "Jürgen 中 a\\x1b[2Jb\\nc\\x9bd\\u202ee\\u2028"
    )


def test_no_check_prints_what_a_stranger_wrote_as_it_is() -> None:
    check = Check("n", "t", lambda w, e: Outcome("a\x1b[2J", (Problem("b\rc"),)), "", "", needs_console=False)
    (result,) = run_checks([check], WANTED, Evidence(sound(), PROBES))
    assert (result.summary, result.problems[0].seen) == ("a\\x1b[2J", "b\\rc")


def test_what_a_refused_caller_calls_himself_and_offers_is_spelt() -> None:
    said = explain(Refusal("1\x1b]0;x\x07", "192.0.2.1", Offer("RTP/AVP", ("opus\x1b[2J",))), ("ulaw",))
    assert said.isprintable()
