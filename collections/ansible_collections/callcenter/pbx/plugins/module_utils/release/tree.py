"""The configuration trees on the server: what is live, what is staged, which one Asterisk has loaded.

    <base>/config -> releases/<id>      the live tree; replaced by one rename
    <base>/releases/<id>/               complete trees, each with a manifest of the files we manage
    <base>/releases/.staged/            a tree that is not valid yet
    <base>/state.json                   the releases a running Asterisk may have in memory
    <base>/inventory.json               digests of the variables that were deployed last

Everything is written so that a cut at any point leaves either the old state or the new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MANIFEST = ".release.json"
PASSWORDS = "pjsip_auth.conf"
FILE_MODE = 0o640
DIR_MODE = 0o750
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_STAGED = ".staged"
_DIRS = ("releases/", "config/")
"""The directories that only Asterisk and root may look into, the live tree by its link."""


class TreeBusy(Exception):
    """Another run works on the tree."""


@dataclass(frozen=True)
class Live:
    """The live tree.

    :param release: its id; '' when there is none, or when ``config`` is a plain directory
    :param files: content by name, of the managed files and of those now to be managed
    :param managed: names in its manifest
    :param astray: managed files, and directories of `_DIRS`, with other permissions than they should have
    """

    release: str
    files: Mapping[str, str]
    managed: frozenset[str]
    astray: tuple[str, ...]


class ReleaseTree:
    """The directory ``docker/asterisk`` of the server.

    :param uid: owner of every file and directory (root)
    :param gid: group, which may read and not write (the one Asterisk runs in)
    """

    def __init__(self, base: Path, uid: int, gid: int) -> None:
        self.base = base
        self.uid = uid
        self.gid = gid
        self.releases = base / "releases"
        self.link = base / "config"
        self._state = base / "state.json"
        self._inventory = base / "inventory.json"

    # -- reading -------------------------------------------------------------------------

    def live(self, wanted: Mapping[str, str]) -> Live:
        """Read the live tree, as far as it is managed or is to be."""
        release = self.live_release()
        managed = frozenset(self._manifest(self.link))
        files: dict[str, str] = {}
        astray = []
        for name in sorted(managed | wanted.keys()):
            path = self.link / name
            # An administrator's link in place of a file is replaced by the file.
            if path.is_symlink() or not path.is_file():
                continue
            files[name] = path.read_text(encoding="utf-8", errors="surrogateescape")
            if name in wanted and not self._is_ours(path.stat(), FILE_MODE):
                astray.append(name)
        astray += [
            name for name in _DIRS if managed and not self._is_ours((self.base / name).stat(), DIR_MODE)
        ]
        return Live(release, files, managed, tuple(astray))

    def live_release(self) -> str:
        """Return the id behind the link, '' without a link."""
        return self.link.readlink().name if self.link.is_symlink() else ""

    def swapped_at(self) -> float:
        """Return when the link was last replaced (seconds since the epoch), 0 without a link."""
        return self.link.lstat().st_mtime if self.link.is_symlink() else 0.0

    def files(self, release: str) -> dict[str, str]:
        """Return the managed files of a release, {} when it is gone."""
        path = self.releases / release
        names = self._manifest(path) if release else {}
        return {
            name: (path / name).read_text(encoding="utf-8", errors="surrogateescape")
            for name in names
            if (path / name).is_file()
        }

    def loaded(self) -> tuple[str, ...]:
        """Return the releases a running Asterisk may have loaded, () when nothing is known."""
        try:
            return tuple(json.loads(self._state.read_text(encoding="utf-8"))["loaded"])
        except (FileNotFoundError, ValueError, KeyError):
            return ()

    def edited(self) -> tuple[str, ...]:
        """Return the files of the live tree that are no longer what was released."""
        return tuple(
            name
            for name, digest in sorted(self._manifest(self.link).items())
            if not (self.link / name).is_file()
            or _sha256((self.link / name).read_text(encoding="utf-8", errors="surrogateescape")) != digest
        )

    def inventory(self) -> dict[str, str]:
        """Return the digests of the variables that were deployed last, {} when nothing is known."""
        try:
            return dict(json.loads(self._inventory.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    # -- changing ------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the tree against other runs; the system releases it when the process dies."""
        self._make_dir(self.base)
        with (self.base / ".lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TreeBusy(str(self.base)) from error
            yield

    def record_loaded(self, *releases: str) -> None:
        """Remember which releases Asterisk may have loaded from now on."""
        known = list(dict.fromkeys(filter(None, releases)))
        if tuple(known) == self.loaded():
            return
        temporary = self._state.with_suffix(".new")
        self._write(temporary, json.dumps({"loaded": known}) + "\n")
        temporary.replace(self._state)
        _sync(self.base)

    def record_inventory(self, digests: Mapping[str, str]) -> None:
        """Remember from which variables the live tree was made."""
        temporary = self._inventory.with_suffix(".new")
        self._write(temporary, json.dumps(digests, indent=1) + "\n")
        temporary.chmod(0o600)
        temporary.replace(self._inventory)
        _sync(self.base)

    def stage(self, files: Mapping[str, str], live: Live) -> Path:
        """Write a complete tree beside the releases: ``files``, and what others keep in the live one."""
        for name in files:
            if not _FILE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no plain file name")
        self._make_dir(self.releases)
        staged = self.discard_staged()
        self._make_dir(staged)
        if self.link.exists():
            self._carry_over(staged, live.managed | files.keys())
        for name, content in files.items():
            self._write(staged / name, content)
        manifest = {name: _sha256(content) for name, content in sorted(files.items())}
        self._write(staged / MANIFEST, json.dumps({"files": manifest}, indent=1) + "\n")
        _sync(staged)
        return staged

    def discard_staged(self) -> Path:
        """Remove what an interrupted or refused run staged, and return the path for a new one."""
        staged = self.releases / _STAGED
        if staged.exists():
            shutil.rmtree(staged)
        return staged

    def publish(self, now: datetime | None = None) -> str:
        """Give the staged tree its id and return it; it is not live yet."""
        staged = self.releases / _STAGED
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S.%fZ")
        release = f"{stamp}-{_sha256((staged / MANIFEST).read_text(encoding='utf-8'))[:8]}"
        staged.rename(self.releases / release)
        _sync(self.releases)
        return release

    def swap(self, release: str) -> None:
        """Make a release live by one rename; a plain directory in the link's place becomes a release."""
        if self.link.is_dir() and not self.link.is_symlink():
            self.link.rename(self.releases / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-adopted")
        temporary = self.base / ".config.new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(Path("releases") / release)
        temporary.replace(self.link)
        _sync(self.base)

    def repair(self, names: tuple[str, ...]) -> None:
        """Give managed files of the live tree, and the directories, their permissions back."""
        for name in names:
            path, mode = (self.base / name, DIR_MODE) if name in _DIRS else (self.link / name, FILE_MODE)
            os.chown(path, self.uid, self.gid)
            path.chmod(mode)

    def remove(self, release: str) -> None:
        """Remove a release that was never in service."""
        shutil.rmtree(self.releases / release)

    def prune(self, keep: int) -> list[str]:
        """Remove the oldest releases beyond ``keep``, and those with former passwords; return their ids.

        Never the live or a loaded one. Who goes back to a former release wants none of its passwords back.
        """
        spared = {self.live_release(), *self.loaded()}
        ids = sorted(path.name for path in self.releases.iterdir() if not path.name.startswith("."))
        passwords = self._manifest(self.link).get(PASSWORDS)
        former = [one for one in ids if self._manifest(self.releases / one).get(PASSWORDS) != passwords]
        surplus = [one for one in ids if one in {*ids[: max(0, len(ids) - keep)], *former} - spared]
        for release in surplus:
            self.remove(release)
        return surplus

    # -- machinery -----------------------------------------------------------------------

    def _manifest(self, tree: Path) -> dict[str, str]:
        try:
            files: dict[str, str] = json.loads((tree / MANIFEST).read_text(encoding="utf-8"))["files"]
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
            return {}
        return {name: digest for name, digest in files.items() if _FILE_NAME.fullmatch(name)}

    def _is_ours(self, status: os.stat_result, mode: int) -> bool:
        return (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, self.uid, self.gid)

    def _carry_over(self, staged: Path, ours: frozenset[str]) -> None:
        """Copy what is not managed (an administrator's backups, say) out of the live tree."""
        for path in sorted(self.link.iterdir()):
            if path.name in ours or path.name == MANIFEST:
                continue
            target = staged / path.name
            if path.is_symlink():
                target.symlink_to(path.readlink())
            elif path.is_dir():
                shutil.copytree(path, target, symlinks=True)
                self._own(target)
            elif path.is_file():
                shutil.copy2(path, target)
                self._own(target)

    def _own(self, path: Path) -> None:
        """Give a copied file or tree our owner; it may hold secrets, so nobody else may read it."""
        for entry in (path, *(path.rglob("*") if path.is_dir() else ())):
            if not entry.is_symlink():
                os.chown(entry, self.uid, self.gid)
                entry.chmod(DIR_MODE if entry.is_dir() else FILE_MODE)

    def _make_dir(self, path: Path) -> None:
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True)
            os.chown(path, self.uid, self.gid)
            path.chmod(DIR_MODE)

    def _write(self, path: Path, content: str) -> None:
        """Write a new file; nobody but us may read it before its permissions are set."""
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(content)
            stream.flush()
            os.fchown(handle, self.uid, self.gid)
            os.fchmod(handle, FILE_MODE)
            os.fsync(handle)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _sync(directory: Path) -> None:
    """Make a directory's new entries durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
