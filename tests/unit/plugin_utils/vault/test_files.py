"""The vault on the disk: encrypted, private, locked, and whole wherever a run is killed."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import apply, read_maps
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.files import (
    VaultFileError,
    VaultFiles,
    secret_for_new,
    still_runs,
    this_run,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.rotation import (
    Journal,
    Known,
    Owner,
    Request,
    plan,
)

from tests.unit.model_samples import SOUND

LAB, SITE = VaultSecret(b"the lab's"), VaultSecret(b"the site's")
SECRETS = [("lab", LAB), ("default", SITE)]
TEXT = '# remark\npbx_secrets:\n  "100": canary-one\n  "101": canary-two\n'
KNOWN = Known.of(read_model(SOUND)[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A vault of the site, encrypted by its own password."""
    vault = tmp_path / "vault.yml"
    vault.write_bytes(VaultLib([("default", SITE)]).encrypt(TEXT))
    return vault


@pytest.mark.parametrize("label", [pytest.param(None, id="without-id"), pytest.param("prod", id="with-id")])
def test_a_vault_is_written_with_the_password_and_id_that_opened_it(
    tmp_path: Path, label: str | None
) -> None:
    path = tmp_path / "vault.yml"
    path.write_bytes(VaultLib([("x", SITE)]).encrypt(TEXT, SITE, vault_id=label))
    header = path.read_bytes().splitlines()[0]
    files = VaultFiles(path, SECRETS)
    files.write(files.read() or "")
    assert path.read_bytes().splitlines()[0] == header
    assert VaultLib([("default", SITE)]).decrypt(path.read_bytes()) == TEXT.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_journal_is_private_encrypted_and_no_file_of_variables(path: Path) -> None:
    files = VaultFiles(path, SECRETS)
    text = files.read() or ""
    journal = Journal("rotate", this_run(1), plan(read_maps(text), Request("rotate", ("100",)), KNOWN))
    files.write_journal(journal)
    assert VaultFiles(path, SECRETS).read_journal() == journal
    assert stat.S_IMODE(files.journal_path.stat().st_mode) == 0o600
    assert files.journal_path.read_bytes().startswith(b"$ANSIBLE_VAULT;")
    assert files.journal_path.suffix not in ("", ".yml", ".yaml", ".json")


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "site" / "vault.yml"
    link.parent.mkdir()
    link.symlink_to(path)
    files = VaultFiles(link, SECRETS)
    files.write((files.read() or "") + "a: 1\n")
    assert link.is_symlink()
    assert VaultFiles(path, SECRETS).read() == TEXT + "a: 1\n"


REFUSED: dict[str, tuple[Callable[[Path], object], list[tuple[str, VaultSecret]], str]] = {
    "no-password": (lambda path: None, [], "--ask-vault-pass.*ANSIBLE_VAULT_PASSWORD_FILE"),
    "another-password": (lambda path: None, [("lab", LAB)], "no vault password of this run decrypts it"),
    "passwords-in-the-clear": (
        lambda path: path.write_text(TEXT),
        SECRETS,
        "anybody.*ansible-vault encrypt --ask-vault-pass .*vault.yml",
    ),
    "in-the-clear-and-broken": (
        lambda path: path.write_text("pbx_secrets: {canary-one"),
        SECRETS,
        "is not encrypted",
    ),
}


@pytest.mark.parametrize(("spoil", "secrets", "expected"), REFUSED.values(), ids=REFUSED)
def test_refusals_name_the_remedy(
    path: Path, spoil: Callable[[Path], object], secrets: list[tuple[str, VaultSecret]], expected: str
) -> None:
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(VaultFileError, match=expected) as refused:
        VaultFiles(path, secrets).read()
    assert "canary" not in str(refused.value)
    assert path.read_bytes() == before


NEW_SECRET: dict[str, tuple[list[str], str | None, str]] = {
    "default-wins": (["lab", "prod", "default"], None, "default"),
    "the-only-one-given": (["lab", "prod"], None, "prod"),
    "the-named-one": (["lab", "default"], "lab", "lab"),
}


@pytest.mark.parametrize(("given", "wanted", "expected"), NEW_SECRET.values(), ids=NEW_SECRET)
def test_what_a_new_vault_is_encrypted_with(given: list[str], wanted: str | None, expected: str) -> None:
    assert secret_for_new([(name, LAB) for name in given], wanted, ["lab"])[0] == expected


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        pytest.param([], None, "No vault password was given", id="none"),
        pytest.param(["lab"], None, "No vault password was given", id="never-the-labs-unasked"),
        pytest.param(["lab"], "prod", "'prod': no vault password", id="not-the-named-one"),
        pytest.param(["lab", "a", "b"], None, "several vault ids were given, a, b", id="several"),
    ],
)
def test_no_password_for_a_new_vault(given: list[str], wanted: str | None, expected: str) -> None:
    with pytest.raises(VaultFileError, match=expected):
        secret_for_new([(name, LAB) for name in given], wanted, ["lab"])


def test_only_one_run_edits_at_a_time(path: Path) -> None:
    files = VaultFiles(path, SECRETS)
    holder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(VaultFileError, match="another run is editing it"), files.locked(seconds=0):
        pass
    os.close(holder)
    with files.locked(seconds=0):
        pass
    assert sorted(item.name for item in path.parent.iterdir()) == ["vault.yml"]


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    me = this_run(os.getpid())
    assert still_runs(me)
    assert not still_runs(Owner(me.host, me.pid, "before the last boot"))
    assert not still_runs(Owner("another machine", me.pid, me.started))
    child = os.fork()
    if child == 0:
        os._exit(0)
    gone = this_run(child)
    os.waitpid(child, 0)
    assert not still_runs(gone)


class Killed(BaseException):
    """Stands for a kill: nothing after it runs."""


class Killer:
    """Lets so many steps on the disk happen, and kills the run instead of the next one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
        self.left = steps
        for owner, name in ((os, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **options: object) -> object:
            if self.left == 0:
                raise Killed
            self.left -= 1
            return real(*args, **options)

        return step


def rotate(path: Path) -> None:
    """What a run does to the disk: begin, then settle."""
    files = VaultFiles(path, SECRETS)
    text = files.read() or ""
    changes = plan(read_maps(text), Request("overlap", ("100", "101")), KNOWN)
    files.write_journal(Journal("overlap", this_run(os.getpid()), changes))
    files.write(apply(text, changes))
    files.remove_journal()


def test_killed_at_any_step_vault_and_journal_tell_what_happened(path: Path) -> None:
    """The vault is the old or the new one, whole; if it is the new one, the journal knows the way back."""
    sound = path.read_bytes()
    outcomes = []
    for steps in range(100):
        path.write_bytes(sound)
        with pytest.MonkeyPatch.context() as patch:
            try:
                Killer(patch, steps)
                rotate(path)
                killed = False
            except Killed:
                killed = True
        files = VaultFiles(path, SECRETS)
        text, journal = files.read() or "", files.read_journal()
        if not killed:
            assert journal is None
            break
        if journal is None:
            outcomes.append("nothing" if text == TEXT else "settled")
            continue
        statuses = set(journal.statuses(read_maps(text)).values())
        outcomes += statuses
        assert len(statuses) == 1
        if statuses == {"written"}:
            back = read_maps(apply(text, journal.undoing(read_maps(text))))
            assert {name: entries for name, entries in back.items() if entries} == {
                name: entries for name, entries in read_maps(TEXT).items() if entries
            }
        else:
            assert text == TEXT
        files.remove_journal()
    else:
        pytest.fail("never ran to its end")
    assert list(dict.fromkeys(outcomes)) == ["nothing", "former", "written", "settled"]
    assert (VaultFiles(path, SECRETS).read() or "") != TEXT
    assert sorted(item.name for item in path.parent.iterdir()) == ["vault.yml"]
