"""The transaction keeps its promises when Asterisk refuses, fails, or the run is cut off anywhere."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import Drained
from ansible_collections.callcenter.pbx.plugins.module_utils.release.plan import (
    Activation,
    PjsipObject,
    changed_files,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.release.transaction import (
    ActivationFailed,
    Outcome,
    Rejected,
    RolledBack,
    Snapshot,
    Transaction,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.release.tree import ReleaseTree, TreeBusy

OLD = {
    "extensions.conf": "[internal]\nold\n",
    "modules.conf": "[modules]\nload = a.so\n",
    "pjsip.conf": "[t]\ntype = transport\n[old]\ntype = endpoint\n",
}
NEW = {
    **OLD,
    "extensions.conf": "[internal]\nnew\n",
    "pjsip.conf": "[t]\ntype = transport\n[new]\ntype = endpoint\n",
}
RESTARTING = {**OLD, "modules.conf": "[modules]\nload = b.so\n"}
WORN = "broken"


class FakePbx:
    """An Asterisk that loads what the link shows when told to, file by file, as the real one does."""

    def __init__(self, tree: ReleaseTree) -> None:
        self.tree = tree
        self.memory: dict[str, str] = {}
        self.started: float | None = None
        self.wanted_image = True
        self.restarts = 0
        self.fails_on: str | None = None
        self.validated: list[Path] = []

    def start(self) -> None:
        # Later than the swap on any file system's clock.
        self.started = time.time() + 0.01
        time.sleep(0.02)
        self.memory = self.live()

    def live(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.tree.link.iterdir() if path.suffix == ".conf"}

    def started_at(self) -> float | None:
        return self.started

    def runs_wanted_image(self) -> bool:
        return self.wanted_image

    def validate(self, tree: Path, files: Mapping[str, str], objects: frozenset[PjsipObject]) -> Snapshot:
        self.validated.append(tree)
        if any(WORN in text for text in files.values()):
            raise Rejected(["parse error"])
        return Snapshot({"endpoint": frozenset({files["pjsip.conf"]})})

    def activate(self, activation: Activation) -> Drained | None:
        live = self.live()
        if activation.restart_reasons:
            self.restarts += 1
            self.start()
        if "dialplan reload" in activation.commands:
            self.memory["extensions.conf"] = live["extensions.conf"]
        if "module reload res_pjsip.so" in activation.commands:
            self.memory["pjsip.conf"] = live["pjsip.conf"]
        if self.fails_on and any(self.fails_on in text for text in live.values()):
            raise ActivationFailed("Asterisk is silent")
        return Drained(0, 0) if activation.restart_reasons else None

    def verify(self, expected: Snapshot) -> None:
        if expected.objects and expected.objects["endpoint"] != {self.memory["pjsip.conf"]}:
            raise ActivationFailed("endpoint 'new' did not appear")


class Server:
    """A tree and its PBX in a temporary directory."""

    def __init__(self, base: Path) -> None:
        self.tree = ReleaseTree(base / "docker" / "asterisk", os.getuid(), os.getgid())
        self.pbx = FakePbx(self.tree)

    def deploy(
        self, files: Mapping[str, str], checkpoint: Callable[[str], None] = lambda step: None, keep: int = 5
    ) -> Outcome:
        return Transaction(self.tree, self.pbx, files, keep, checkpoint).run()

    def releases(self) -> list[str]:
        return sorted(path.name for path in self.tree.releases.iterdir())


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture
def running(server: Server) -> Server:
    """A server on which OLD is live and loaded."""
    server.deploy(OLD)
    server.pbx.start()
    return server


class Cut(BaseException):
    """Stands for a SIGKILL: nothing catches it."""


def steps_of(deploy: Callable[[Callable[[str], None]], object]) -> list[str]:
    """The checkpoints a run passes."""
    passed: list[str] = []
    deploy(passed.append)
    return passed


def test_the_first_release_goes_live_without_an_asterisk(server: Server) -> None:
    outcome = server.deploy(OLD)
    assert server.pbx.live() == OLD
    assert outcome.plan.loaded is None
    assert server.tree.link.readlink() == Path("releases") / outcome.release
    assert not server.deploy(OLD).plan.changed


def test_the_same_files_touch_nothing(running: Server) -> None:
    before = {path: path.lstat().st_mtime_ns for path in running.tree.base.rglob("*")}
    running.pbx.validated.clear()
    assert not running.deploy(OLD).plan.changed
    after = {path: path.lstat().st_mtime_ns for path in running.tree.base.rglob("*")}
    assert after == before
    assert running.pbx.validated == []


@pytest.mark.parametrize("target", [NEW, RESTARTING], ids=["reload", "restart"])
def test_a_change_is_loaded(running: Server, target: dict[str, str]) -> None:
    assert running.deploy(target).plan.changed
    assert running.pbx.memory == running.pbx.live() == target
    assert running.pbx.restarts == (target is RESTARTING)
    assert not running.deploy(target).plan.changed


def test_a_refused_release_leaves_no_trace(running: Server) -> None:
    before = running.releases()
    with pytest.raises(Rejected):
        running.deploy({**NEW, "extensions.conf": WORN})
    assert (running.pbx.live(), running.pbx.memory, running.releases()) == (OLD, OLD, before)


@pytest.mark.parametrize("target", [NEW, RESTARTING], ids=["reload", "restart"])
def test_a_failed_release_is_taken_back(running: Server, target: dict[str, str]) -> None:
    before = running.releases()
    running.pbx.fails_on = "new" if target is NEW else "b.so"
    with pytest.raises(RolledBack) as caught:
        running.deploy(target)
    assert caught.value.served_by == before[0]
    assert (running.pbx.live(), running.pbx.memory, running.releases()) == (OLD, OLD, before)
    assert not running.deploy(OLD).plan.changed


def test_a_reload_that_keeps_the_old_objects_is_noticed(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretend(activation: Activation) -> None:
        return None

    monkeypatch.setattr(running.pbx, "activate", pretend)
    with pytest.raises(RolledBack, match="did not appear"):
        running.deploy(NEW)
    assert running.pbx.live() == OLD


@pytest.mark.parametrize("target", [NEW, RESTARTING], ids=["reload", "restart"])
def test_a_run_cut_off_anywhere_is_finished_by_the_next(tmp_path: Path, target: dict[str, str]) -> None:
    probe = Server(tmp_path / "probe")
    probe.deploy(OLD)
    probe.pbx.start()
    steps = steps_of(lambda checkpoint: probe.deploy(target, checkpoint))
    assert len(steps) == 8
    for number, step in enumerate(steps):
        server = Server(tmp_path / str(number))
        server.deploy(OLD)
        server.pbx.start()

        def cut(passed: str, step: str = step) -> None:
            if passed == step:
                raise Cut(step)

        with pytest.raises(Cut):
            server.deploy(target, cut)
        assert server.pbx.live() in (OLD, target), step
        server.deploy(target)
        assert server.pbx.memory == server.pbx.live() == target, step
        assert not server.deploy(target).plan.changed, step
        assert ".staged" not in server.releases(), step


def test_a_cut_run_may_also_be_followed_by_another_target(running: Server) -> None:
    def cut(step: str) -> None:
        if step == "activated":
            raise Cut

    with pytest.raises(Cut):
        running.deploy(NEW, cut)
    running.deploy(OLD)
    assert running.pbx.memory == running.pbx.live() == OLD


def test_a_roll_back_that_was_cut_off_is_finished(running: Server) -> None:
    def cut(step: str) -> None:
        if step == "swapped back":
            raise Cut

    running.pbx.fails_on = "new"
    with pytest.raises(Cut):
        running.deploy(NEW, cut)
    running.pbx.fails_on = None
    assert running.pbx.live() == OLD
    assert running.pbx.memory != OLD
    assert running.deploy(OLD).plan.changed
    assert running.pbx.memory == OLD


def test_a_resumed_release_that_fails_goes_back_to_the_one_before(running: Server) -> None:
    def cut(step: str) -> None:
        if step == "swapped":
            raise Cut

    with pytest.raises(Cut):
        running.deploy(NEW, cut)
    running.pbx.fails_on = "new"
    with pytest.raises(RolledBack):
        running.deploy(NEW)
    assert (running.pbx.live(), running.pbx.memory) == (OLD, OLD)


def test_a_restart_in_between_counts_as_loaded(running: Server) -> None:
    def cut(step: str) -> None:
        if step == "swapped":
            raise Cut

    with pytest.raises(Cut):
        running.deploy(NEW, cut)
    running.pbx.start()
    running.pbx.validated.clear()
    assert not running.deploy(NEW).plan.changed
    assert running.pbx.validated == []


def test_another_image_defers_the_reload_to_the_new_container(running: Server) -> None:
    running.pbx.wanted_image = False
    outcome = running.deploy(NEW)
    assert outcome.plan.deferred
    assert (running.pbx.memory, running.pbx.live()) == (OLD, NEW)
    running.pbx.wanted_image = True
    running.pbx.start()
    assert not running.deploy(NEW).plan.changed


def test_another_image_has_to_accept_what_is_live(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(tree: Path, files: Mapping[str, str], objects: frozenset[PjsipObject]) -> Snapshot:
        raise Rejected(["no such module"])

    running.pbx.wanted_image = False
    assert not running.deploy(OLD).plan.changed
    assert running.pbx.validated[-1] == running.tree.link.resolve()
    monkeypatch.setattr(running.pbx, "validate", refuse)
    with pytest.raises(Rejected):
        running.deploy(OLD)
    assert (running.pbx.live(), running.pbx.memory) == (OLD, OLD)


def test_files_of_others_are_carried_along_and_edits_are_kept_in_the_former_release(running: Server) -> None:
    former = running.tree.link.resolve()
    (running.tree.link / "pjsip.conf.backup").write_text("mine")
    (running.tree.link / "lists").mkdir()
    (running.tree.link / "lists" / "vip").write_text("1")
    (running.tree.link / "extensions.conf").write_text("[edited]\n")
    plan = Transaction(running.tree, running.pbx, OLD, 5).plan()
    assert plan.differing == ("extensions.conf",)
    running.deploy(OLD)
    assert (running.tree.link / "pjsip.conf.backup").read_text() == "mine"
    assert (running.tree.link / "lists" / "vip").read_text() == "1"
    assert (running.tree.link / "extensions.conf").read_text() == OLD["extensions.conf"]
    assert (former / "extensions.conf").read_text() == "[edited]\n"


def test_a_file_that_is_no_longer_managed_goes(running: Server) -> None:
    less = {name: text for name, text in OLD.items() if name != "modules.conf"}
    running.deploy(less)
    assert running.pbx.live() == less


def test_permissions_are_tight_and_put_right(running: Server) -> None:
    modes = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in running.tree.base.rglob("*")
        if not path.is_symlink()
    }
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o750}
    assert {mode for path, mode in modes.items() if path.suffix in {".conf", ".json"}} == {0o640}
    release = running.tree.live_release()
    (running.tree.link / "pjsip.conf").chmod(0o644)
    running.tree.releases.chmod(0o755)
    outcome = running.deploy(OLD)
    assert (outcome.plan.live.astray, outcome.release) == (("pjsip.conf", "releases/"), release)
    assert stat.S_IMODE((running.tree.link / "pjsip.conf").stat().st_mode) == 0o640
    assert stat.S_IMODE(running.tree.releases.stat().st_mode) == 0o750
    assert not running.deploy(OLD).plan.changed


def test_an_edited_file_is_told_from_a_released_one(running: Server) -> None:
    assert running.tree.edited() == ()
    (running.tree.link / "pjsip.conf").write_text("[by-hand]\n")
    (running.tree.link / "extensions.conf").unlink()
    assert running.tree.edited() == ("extensions.conf", "pjsip.conf")
    running.deploy(OLD)
    assert running.tree.edited() == ()


def test_the_record_of_the_inventory_is_kept_for_root_alone(running: Server) -> None:
    assert running.tree.inventory() == {}
    running.tree.record_inventory({"pbx_extensions": "1f0c"})
    assert running.tree.inventory() == {"pbx_extensions": "1f0c"}
    assert stat.S_IMODE((running.tree.base / "inventory.json").stat().st_mode) == 0o600


def test_a_plain_directory_is_adopted(server: Server) -> None:
    server.tree.link.mkdir(parents=True)
    (server.tree.link / "pjsip.conf").write_text("by hand")
    (server.tree.link / "pjsip.conf.backup").write_text("older")
    server.deploy(OLD)
    assert server.pbx.live() == OLD
    assert (server.tree.link / "pjsip.conf.backup").read_text() == "older"
    adopted = next(name for name in server.releases() if name.endswith("-adopted"))
    assert (server.tree.releases / adopted / "pjsip.conf").read_text() == "by hand"


def test_old_releases_go_and_never_the_live_one(running: Server) -> None:
    for number in range(5):
        running.deploy({**OLD, "extensions.conf": f"[{number}]\n"}, keep=2)
    assert len(running.releases()) == 2
    assert running.tree.live_release() in running.releases()
    assert changed_files(running.pbx.live(), {**OLD, "extensions.conf": "[4]\n"}) == []


def test_a_release_with_former_passwords_goes_with_them(running: Server) -> None:
    first = {**OLD, "pjsip_auth.conf": "[carrier]\npassword = former\n"}
    running.deploy(first)
    running.deploy({**first, "extensions.conf": "[another]\n"})
    assert len(running.releases()) > 1, "the same passwords: both stay"
    running.deploy({**first, "pjsip_auth.conf": "[carrier]\npassword = later\n"})
    assert running.releases() == [running.tree.live_release()]


def test_two_runs_at_once_are_refused(running: Server) -> None:
    with running.tree.locked(), pytest.raises(TreeBusy):
        running.deploy(NEW)


@pytest.mark.parametrize("name", ["../pjsip.conf", "sub/x.conf", ".hidden", ""])
def test_a_file_name_cannot_leave_the_release(running: Server, name: str) -> None:
    with pytest.raises(ValueError, match="no plain file name"):
        running.deploy({**OLD, name: "x"})
