"""The lab's passwords: strong, random, made once, and kept out of the repository."""

from __future__ import annotations

import os
import secrets
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from lab.console import LabError
from lab.paths import MODEL, VAULT

_VARIABLE = "pbx_secrets"
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 32
_HEADER = (
    "# Made by `make up` for the lab; never committed. Names that are missing are added, none is changed.\n"
)


def required_names(model: dict[str, Any]) -> list[str]:
    """Names that need a password: every extension, and every trunk that calls go out through."""
    extensions = [str(item["number"]) for item in model.get("pbx_extensions", [])]
    trunks = [str(item["name"]) for item in model.get("pbx_trunks", []) if item.get("termination_host")]
    return extensions + trunks


def complete(existing: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    """Existing passwords, and new random ones for the names that have none."""
    fresh = {name: _password() for name in names if name not in existing}
    return {**existing, **fresh}


def ensure_vault(model_file: Path = MODEL, vault_file: Path = VAULT) -> list[str]:
    """Add the missing passwords to the lab's vault and return the names they are for.

    Raises:
        LabError: a file does not hold what it should.
    """
    names = required_names(_mapping(model_file))
    content = _mapping(vault_file) if vault_file.exists() else {}
    existing = content.get(_VARIABLE) or {}
    if not isinstance(existing, dict):
        raise LabError(
            f"{vault_file}: {_VARIABLE} must map names to passwords; remove the file to start afresh"
        )
    completed = complete(existing, names)
    added = [name for name in completed if name not in existing]
    if added:
        _write_private(vault_file, _HEADER + yaml.safe_dump({**content, _VARIABLE: completed}))
    return added


def remove_vault(vault_file: Path = VAULT) -> bool:
    """Remove the vault if the lab made it, and say whether it did; one made by hand stays."""
    if not vault_file.exists() or not vault_file.read_text(encoding="utf-8").startswith(_HEADER):
        return False
    vault_file.unlink()
    return True


def _password() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def _mapping(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LabError(f"{path} is missing") from error
    except yaml.YAMLError as error:
        raise LabError(f"{path} is not plain YAML that the lab can read: {error}") from error
    if not isinstance(loaded, dict):
        raise LabError(f"{path} does not hold a mapping of variables")
    return loaded


def _write_private(path: Path, text: str) -> None:
    """Replace a file atomically; at no moment can another user read it."""
    staged = path.with_name(f".{path.name}.new")
    staged.unlink(missing_ok=True)
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    staged.replace(path)
