"""The lab's passwords: strong, random, made once, encrypted with a key of the lab's own."""

from __future__ import annotations

import os
import secrets
import string
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted

from lab.console import LabError
from lab.paths import MODEL, VAULT, VAULT_KEY, VAULT_KEY_PROGRAM

_VAULT_ID = "lab"
_LABEL = b"$ANSIBLE_VAULT;1.2;AES256;lab\n"
_VARIABLE = "pbx_secrets"
_OVERLAP = ("pbx_secrets_previous", "pbx_secrets_next")
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 32
_HEADER = (
    "# Made by `make up` for the lab; never committed. Names that are missing are added, none is changed.\n"
)


def required_names(model: dict[str, Any]) -> list[str]:
    """Names that need a password: every extension, and every trunk that calls go out through."""
    extensions = [str(item["number"]) for item in model.get("pbx_extensions", [])]
    trunks = [str(item["name"]) for item in model.get("pbx_trunks", []) if item.get("auth_username")]
    return extensions + trunks


def complete(existing: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    """Existing passwords, and new random ones for the names that have none."""
    fresh = {name: _password() for name in names if name not in existing}
    return {**existing, **fresh}


def vault_key() -> str:
    """The key of the lab's vault, made if there is none; the program that Ansible asks too.

    Raises:
        LabError: the program fails.
    """
    asked = subprocess.run(
        [str(VAULT_KEY_PROGRAM)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if asked.returncode != 0:
        raise LabError(f"{VAULT_KEY_PROGRAM} failed: {asked.stderr.strip()}")
    return asked.stdout.strip()


def plain_text(path: Path, key: str | None = None) -> str:
    """Content of a file of variables, decrypted with the lab's key if it is encrypted.

    Raises:
        LabError: it is missing, or encrypted with another key.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise LabError(f"{path} is missing") from error
    if not is_encrypted(content):
        return content.decode()
    try:
        return bytes(_cipher(key).decrypt(content)).decode()
    except (AnsibleError, UnicodeDecodeError):
        raise LabError(
            f"{path} is encrypted with another key than the lab's: `make clean` and `make up` make both anew"
        ) from None


def ensure_vault(model_file: Path = MODEL, vault_file: Path = VAULT, key: str | None = None) -> list[str]:
    """Add the missing passwords to the lab's vault and return the names they are for.

    A vault in the clear, as the lab once made them, is encrypted.

    Raises:
        LabError: a file does not hold what it should.
    """
    names = required_names(_mapping(model_file, key))
    content = _mapping(vault_file, key) if vault_file.exists() else {}
    existing = content.get(_VARIABLE) or {}
    if not isinstance(existing, dict):
        raise LabError(
            f"{vault_file}: {_VARIABLE} must map names to passwords; remove the file to start afresh"
        )
    completed = complete(existing, names)
    added = [name for name in completed if name not in existing]
    if added:
        text = _HEADER + yaml.safe_dump({**content, _VARIABLE: completed})
    elif not is_encrypted(vault_file.read_bytes()):
        text = plain_text(vault_file, key)
    else:
        return added
    _write_private(vault_file, bytes(_cipher(key).encrypt(text, vault_id=_VAULT_ID)))
    return added


def forget_rotation(vault_file: Path = VAULT, key: str | None = None) -> bool:
    """Drop an overlap, and the journal of a rotation, from the lab's vault; say whether there was one.

    The passwords in force stay: whatever the server knows besides is gone with the next deployment.

    Raises:
        LabError: the vault is not one the lab can read.
    """
    journal = vault_file.with_name(f"{vault_file.name}.rotation")
    found = journal.exists()
    journal.unlink(missing_ok=True)
    content = _mapping(vault_file, key) if vault_file.exists() else {}
    left = {name: value for name, value in content.items() if name not in _OVERLAP}
    if left == content:
        return found
    text = _HEADER + yaml.safe_dump(left)
    _write_private(vault_file, bytes(_cipher(key).encrypt(text, vault_id=_VAULT_ID)))
    return True


def remove_vault(vault_file: Path = VAULT, key_file: Path = VAULT_KEY) -> bool:
    """Remove the vault and its key if the lab made them, and say whether it did; one made by hand stays."""
    if vault_file.exists():
        # The label is outside the encryption: a vault whose key is lost is still known as the lab's.
        if not vault_file.read_bytes().startswith((_HEADER.encode(), _LABEL)):
            return False
        vault_file.with_name(f"{vault_file.name}.rotation").unlink(missing_ok=True)
        vault_file.unlink()
    elif not key_file.exists():
        return False
    key_file.unlink(missing_ok=True)
    return True


def _cipher(key: str | None) -> VaultLib:
    return VaultLib([(_VAULT_ID, VaultSecret((key or vault_key()).encode()))])


def _password() -> str:
    """A random password with a digit and both kinds of letters in it, as carriers demand."""
    while True:
        made = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        if all(any(map(kind, made)) for kind in (str.isdigit, str.islower, str.isupper)):
            return made


def _mapping(path: Path, key: str | None) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(plain_text(path, key))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" near line {mark.line + 1}" if mark else ""
        raise LabError(f"{path} is not plain YAML that the lab can read: look{place}") from None
    if not isinstance(loaded, dict):
        raise LabError(f"{path} does not hold a mapping of variables")
    return loaded


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically; at no moment can another user read it."""
    staged = path.with_name(f".{path.name}.new")
    staged.unlink(missing_ok=True)
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    staged.replace(path)
