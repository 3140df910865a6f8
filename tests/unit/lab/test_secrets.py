"""Passwords are made once, for the names that need one, never changed, and never in the clear."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from lab.console import LabError
from lab.driver.parties import load_variables
from lab.paths import VAULT_KEY_PROGRAM
from lab.secrets import (
    complete,
    ensure_vault,
    forget_rotation,
    plain_text,
    remove_vault,
    required_names,
    vault_key,
)

KEY = "key of this test"
MODEL: dict[str, Any] = {
    "pbx_extensions": [{"number": "100"}, {"number": 101}],
    "pbx_trunks": [
        {"name": "twilio-na-us", "termination_host": "trunk.pstn.example.com", "auth_username": "Admin"},
        {"name": "inbound-only"},
    ],
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, str]:
    """A model file, where its vault will be, and the key."""
    model = tmp_path / "model.yml"
    model.write_text(yaml.safe_dump(MODEL))
    return model, tmp_path / "vault.yml", KEY


def content(vault: Path) -> dict[str, Any]:
    """What the vault holds; it must be encrypted."""
    assert vault.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;lab\n")
    return dict(yaml.safe_load(plain_text(vault, KEY)))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        pytest.param(MODEL, ["100", "101", "twilio-na-us"], id="extensions-and-outbound-trunks"),
        pytest.param({"pbx_extensions": [{"number": "100"}]}, ["100"], id="no-trunk"),
        pytest.param({}, [], id="empty"),
    ],
)
def test_required_names(model: dict[str, Any], names: list[str]) -> None:
    assert required_names(model) == names


def test_complete_keeps_what_is_there() -> None:
    first = complete({"100": "kept"}, ["100", "101"])
    assert first["100"] == "kept"
    assert complete(first, ["100", "101"]) == first


def test_complete_makes_different_plain_words() -> None:
    made = complete({}, ["100", "101"])
    assert made["100"] != made["101"]
    assert all(len(word) == 32 and word.isalnum() and word.isascii() for word in made.values())


def test_complete_makes_words_with_every_kind_of_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    signs = iter("abcdefgh" * 4 + "hB6mTz3R" * 4)
    monkeypatch.setattr("lab.secrets.secrets.choice", lambda _alphabet: next(signs))
    assert complete({}, ["100"]) == {"100": "hB6mTz3R" * 4}


def test_vault_is_private_encrypted_and_complete(files: tuple[Path, Path, str]) -> None:
    vault = files[1]
    assert ensure_vault(*files) == ["100", "101", "twilio-na-us"]
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    assert list(content(vault)["pbx_secrets"]) == ["100", "101", "twilio-na-us"]


def test_second_run_changes_nothing(files: tuple[Path, Path, str]) -> None:
    ensure_vault(*files)
    before = files[1].read_bytes()
    assert ensure_vault(*files) == []
    assert files[1].read_bytes() == before


@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "in-the-clear"])
def test_missing_name_is_added_and_the_rest_kept(files: tuple[Path, Path, str], encrypted: bool) -> None:
    vault = files[1]
    text = 'other: 1\npbx_secrets: {"100": kept}\npbx_secrets_previous: {"100": older}\n'
    secret = VaultSecret(KEY.encode())
    vault.write_bytes(VaultLib([("lab", secret)]).encrypt(text) if encrypted else text.encode())
    assert ensure_vault(*files) == ["101", "twilio-na-us"]
    found = content(vault)
    assert found["pbx_secrets"]["100"] == "kept"
    assert found["pbx_secrets_previous"] == {"100": "older"}
    assert found["other"] == 1


def test_a_complete_vault_in_the_clear_is_encrypted_as_it_is(files: tuple[Path, Path, str]) -> None:
    vault = files[1]
    text = 'pbx_secrets: {"100": a, "101": b, twilio-na-us: c}  # by hand\n'
    vault.write_text(text)
    assert ensure_vault(*files) == []
    assert plain_text(vault, KEY) == text
    assert content(vault)["pbx_secrets"]["101"] == "b"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$ANSIBLE_VAULT;1.1;AES256\n6162\n", id="encrypted-otherwise"),
        pytest.param("pbx_secrets: [canary]\n", id="list"),
        pytest.param("pbx_secrets: {canary\n", id="not-yaml"),
        pytest.param("pbx_secrets: !vault |\n  canary\n", id="tagged"),
    ],
)
def test_vault_that_is_not_ours_to_read_is_refused_untouched(
    files: tuple[Path, Path, str], text: str
) -> None:
    vault = files[1]
    vault.write_text(text)
    with pytest.raises(LabError, match=r"vault\.yml") as refused:
        ensure_vault(*files)
    assert "canary" not in str(refused.value)
    assert vault.read_text() == text


def test_only_what_the_lab_made_is_removed(files: tuple[Path, Path, str], tmp_path: Path) -> None:
    vault, key_file = files[1], tmp_path / ".vault-key"
    assert not remove_vault(vault, key_file)
    for text in ("pbx_secrets: {}\n", "$ANSIBLE_VAULT;1.1;AES256\n6162\n"):
        key_file.write_text(KEY)
        vault.write_text(text)
        assert not remove_vault(vault, key_file)
        assert vault.exists() and key_file.exists()
        vault.unlink()
    ensure_vault(*files)
    assert remove_vault(vault, key_file)
    assert not vault.exists() and not key_file.exists()


def test_load_variables_decrypts_and_joins(
    files: tuple[Path, Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.secrets.vault_key", lambda: KEY)
    ensure_vault(*files)
    loaded = load_variables(files[0], files[1])
    assert loaded["pbx_secrets"].keys() == {"100", "101", "twilio-na-us"}
    assert loaded["pbx_trunks"] == MODEL["pbx_trunks"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The key program in a checkout of its own."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "inventory" / "lab").mkdir(parents=True)
    return Path(shutil.copy(VAULT_KEY_PROGRAM, tmp_path / "lab" / "vault-key"))


def test_key_is_made_once_for_its_owner_alone(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.secrets.VAULT_KEY_PROGRAM", program)
    first = vault_key()
    key_file = program.parents[1] / "inventory" / "lab" / ".vault-key"
    assert len(first) == 64
    assert vault_key() == first == key_file.read_text().strip()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [item.name for item in key_file.parent.iterdir()] == [".vault-key"]


def test_runs_at_the_same_time_agree_on_one_key(program: Path) -> None:
    runs = [subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert len({run.communicate()[0] for run in runs}) == 1


def test_where_no_key_can_be_kept_other_sites_still_get_one(program: Path) -> None:
    shutil.rmtree(program.parents[1] / "inventory")
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert len(done.stdout.strip()) == 64
    assert done.stderr == ""


def test_an_overlap_is_forgotten_and_the_passwords_stay(files: tuple[Path, Path, str]) -> None:
    vault = files[1]
    text = (
        'a: 1\npbx_secrets: {"100": kept}\npbx_secrets_previous: {"100": older}\npbx_secrets_next: {a: n}\n'
    )
    vault.write_bytes(VaultLib([("lab", VaultSecret(KEY.encode()))]).encrypt(text))
    journal = vault.with_name("vault.yml.rotation")
    journal.write_text("{}")
    assert forget_rotation(vault, KEY)
    assert content(vault) == {"a": 1, "pbx_secrets": {"100": "kept"}}
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    assert not journal.exists()


@pytest.mark.parametrize("made", [True, False], ids=["without-overlap", "no-vault"])
def test_where_nothing_rotates_nothing_is_written(files: tuple[Path, Path, str], made: bool) -> None:
    vault = files[1]
    if made:
        ensure_vault(*files)
    before = vault.read_bytes() if made else None
    assert not forget_rotation(vault, KEY)
    assert (vault.read_bytes() if vault.exists() else None) == before
