"""The directory of phone sheets: who may read it at which moment, and what a second run finds."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.phone_sheets.files import (
    Found,
    Plan,
    plan,
    write_sheets,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.phone_sheets.sheet import MARKER, SheetError

ONE, TWO = f"{MARKER}one", f"{MARKER}two"


def found(sheets: Mapping[str, str | None], *staged: str, private: bool = True) -> Found:
    return Found(sheets, frozenset(), frozenset(staged), private)


PLANS = {
    "nothing there": (found({}), Plan(("100.html", "101.html"), (), (), (), False)),
    "all right": (
        found({"100.html": ONE, "101.html": TWO}),
        Plan((), (), (), ("100.html", "101.html"), False),
    ),
    "one rotated": (
        found({"100.html": ONE, "101.html": ONE}),
        Plan((), ("101.html",), (), ("100.html",), False),
    ),
    "one readable for others": (
        found({"100.html": None, "101.html": TWO}),
        Plan((), ("100.html",), (), ("101.html",), False),
    ),
    "one extension gone": (
        found({"100.html": ONE, "101.html": TWO, "102.html": TWO}),
        Plan((), (), ("102.html",), ("100.html", "101.html"), False),
    ),
    "a run was cut off": (
        found({"100.html": ONE}, ".101.html.new"),
        Plan(("101.html",), (), (".101.html.new",), ("100.html",), False),
    ),
    "others may enter": (
        found({"100.html": ONE, "101.html": TWO}, private=False),
        Plan((), (), (), ("100.html", "101.html"), True),
    ),
}


@pytest.mark.parametrize(("there", "expected"), PLANS.values(), ids=PLANS)
def test_plan(there: Found, expected: Plan) -> None:
    assert plan({"100.html": ONE, "101.html": TWO}, there) == expected


@pytest.fixture
def open_umask() -> Iterator[None]:
    """The most careless of umasks."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_nobody_else_can_read_a_sheet_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    opened = os.fdopen

    def look(descriptor: int, mode: str = "r", **options: Any) -> IO[Any]:
        status = os.fstat(descriptor)
        seen.append((stat.S_IMODE(status.st_mode), status.st_size))
        return opened(descriptor, mode, **options)

    monkeypatch.setattr(os, "fdopen", look)
    directory = tmp_path / "pbx" / "phones"
    write_sheets(directory, {"100.html": ONE, "101.html": TWO}, check_only=False)
    assert seen == [(0o600, 0), (0o600, 0)]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {
        "100.html": 0o600,
        "101.html": 0o600,
    }


def test_a_second_run_touches_nothing(tmp_path: Path) -> None:
    write_sheets(tmp_path / "phones", {"100.html": ONE}, check_only=False)
    before = (tmp_path / "phones" / "100.html").stat()
    done = write_sheets(tmp_path / "phones", {"100.html": ONE}, check_only=False)
    assert not done.anything
    assert (tmp_path / "phones" / "100.html").stat() == before


def test_what_was_opened_to_others_is_closed_again(tmp_path: Path) -> None:
    directory = tmp_path / "phones"
    write_sheets(directory, {"100.html": ONE}, check_only=False)
    directory.chmod(0o755)
    (directory / "100.html").chmod(0o644)
    assert write_sheets(directory, {"100.html": ONE}, check_only=False).written == ("100.html",)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / "100.html")]
    assert modes == [0o700, 0o600]


def test_check_mode_says_the_same_and_does_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "phones"
    assert write_sheets(directory, {"100.html": ONE}, check_only=True).added == ("100.html",)
    assert not directory.exists()
    write_sheets(directory, {"100.html": ONE, "101.html": ONE}, check_only=False)
    announced = write_sheets(directory, {"100.html": TWO}, check_only=True)
    assert (announced.changed, announced.removed) == (("100.html",), ("101.html",))
    assert (directory / "100.html").read_text() == ONE
    assert write_sheets(directory, {"100.html": TWO}, check_only=False) == announced


def test_a_run_cut_off_leaves_the_old_sheet_and_the_next_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "phones"
    write_sheets(directory, {"100.html": ONE}, check_only=False)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "replace", killed)
        write_sheets(directory, {"100.html": TWO}, check_only=False)
    assert (directory / "100.html").read_text() == ONE
    assert (directory / ".100.html.new").exists()
    write_sheets(directory, {"100.html": TWO}, check_only=False)
    assert {path.name: path.read_text() for path in directory.iterdir()} == {"100.html": TWO}


def test_files_of_others_stay(tmp_path: Path) -> None:
    directory = tmp_path / "phones"
    directory.mkdir()
    others = {"notes.txt": "mine", "105.html": "<p>not ours", "index.html": f"{MARKER}but not a number"}
    for name, content in others.items():
        (directory / name).write_text(content)
    write_sheets(directory, {"100.html": ONE}, check_only=False)
    assert {path.name: path.read_text() for path in directory.iterdir()} == {**others, "100.html": ONE}


def test_an_empty_file_is_a_sheet_that_a_power_cut_emptied(tmp_path: Path) -> None:
    (tmp_path / "100.html").touch()
    write_sheets(tmp_path, {"100.html": ONE}, check_only=False)
    assert (tmp_path / "100.html").read_text() == ONE


def test_no_sheet_replaces_a_file_of_others(tmp_path: Path) -> None:
    (tmp_path / "100.html").write_text("<p>not ours")
    (tmp_path / "101.html").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SheetError, match=r"100\.html, 101\.html is no phone sheet: move it elsewhere"):
        write_sheets(tmp_path, {"100.html": ONE, "101.html": ONE}, check_only=False)
    assert (tmp_path / "100.html").read_text() == "<p>not ours"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("check_only", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_the_directory_has_to_be_one(tmp_path: Path, kind: str, check_only: bool) -> None:
    directory = tmp_path / "phones"
    if kind == "file":
        directory.touch()
    else:
        directory.symlink_to(tmp_path if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(SheetError, match="phones: is not a directory: move it elsewhere"):
        write_sheets(directory, {"100.html": ONE}, check_only)


def test_two_runs_wait_for_each_other(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    other = threading.Thread(target=write_sheets, args=(tmp_path, {"100.html": ONE}, False))
    other.start()
    other.join(0.2)
    waited = other.is_alive() and not (tmp_path / "100.html").exists()
    os.close(handle)
    other.join(10)
    assert waited
    assert (tmp_path / "100.html").read_text() == ONE
