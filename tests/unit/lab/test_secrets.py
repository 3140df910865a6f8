"""Passwords are made once, for the names that need one, and never changed."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.console import LabError
from lab.secrets import complete, ensure_vault, remove_vault, required_names

MODEL: dict[str, Any] = {
    "pbx_extensions": [{"number": "100"}, {"number": 101}],
    "pbx_trunks": [
        {"name": "twilio-na-us", "termination_host": "trunk.pstn.example.com"},
        {"name": "inbound-only"},
    ],
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A model file, and where its vault will be."""
    model = tmp_path / "model.yml"
    model.write_text(yaml.safe_dump(MODEL))
    return model, tmp_path / "vault.yml"


def passwords(vault: Path) -> dict[str, str]:
    """What the vault holds."""
    return dict(yaml.safe_load(vault.read_text())["pbx_secrets"])


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


def test_vault_is_private_and_complete(files: tuple[Path, Path]) -> None:
    model, vault = files
    assert ensure_vault(model, vault) == ["100", "101", "twilio-na-us"]
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    assert list(passwords(vault)) == ["100", "101", "twilio-na-us"]


def test_second_run_changes_nothing(files: tuple[Path, Path]) -> None:
    ensure_vault(*files)
    before = files[1].read_bytes()
    assert ensure_vault(*files) == []
    assert files[1].read_bytes() == before


def test_missing_name_is_added_and_the_rest_kept(files: tuple[Path, Path]) -> None:
    model, vault = files
    vault.write_text('other: 1\npbx_secrets: {"100": kept}\n')
    assert ensure_vault(model, vault) == ["101", "twilio-na-us"]
    assert passwords(vault)["100"] == "kept"
    assert yaml.safe_load(vault.read_text())["other"] == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$ANSIBLE_VAULT;1.1;AES256\n6162\n", id="encrypted"),
        pytest.param("pbx_secrets: [1]\n", id="list"),
        pytest.param("pbx_secrets: {unclosed\n", id="not-yaml"),
        pytest.param("pbx_secrets: !vault |\n  61\n", id="tagged"),
    ],
)
def test_vault_that_is_not_ours_to_read_is_refused_untouched(files: tuple[Path, Path], text: str) -> None:
    model, vault = files
    vault.write_text(text)
    with pytest.raises(LabError, match=r"vault\.yml"):
        ensure_vault(model, vault)
    assert vault.read_text() == text


def test_only_a_vault_that_the_lab_made_is_removed(files: tuple[Path, Path]) -> None:
    _, vault = files
    assert not remove_vault(vault)
    vault.write_text("pbx_secrets: {}\n")
    assert not remove_vault(vault)
    vault.unlink()
    ensure_vault(*files)
    assert remove_vault(vault)
    assert not vault.exists()
