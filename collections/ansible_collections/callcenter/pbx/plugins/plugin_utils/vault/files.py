"""The vault and its journal on the controller's disk: decrypted, encrypted, and replaced all or nothing.

Plain text of a vault never reaches the disk, and files are made for their owner alone.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, parse_vaulttext_envelope
from ansible_collections.callcenter.pbx.plugins.module_utils.host import whole_file
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import (
    DocumentError,
    read_maps,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.rotation import Journal, Owner

NO_PASSWORD = (
    "no vault password was given. Run with --ask-vault-pass (-J), or name a file that holds it: "
    "ANSIBLE_VAULT_PASSWORD_FILE=<file>"
)


class Secret(Protocol):
    """A vault password, as Ansible hands it out."""

    @property
    def bytes(self) -> bytes: ...


Secrets = Sequence[tuple[str, Secret]]
"""The run's vault passwords by vault id."""


class VaultFileError(Exception):
    """The vault cannot be used; the message names the file and the remedy, and holds no password."""


class VaultFiles:
    """A vault and the journal beside it."""

    def __init__(self, path: Path, secrets: Secrets) -> None:
        """``path`` may be a link: what it leads to is replaced, the link stays."""
        self.path = path.resolve()
        self.journal_path = self.path.with_name(f"{self.path.name}.rotation")
        self._secrets = secrets
        self._used: tuple[str | None, Secret] | None = None

    @contextlib.contextmanager
    def locked(self, seconds: float = whole_file.LOCK_SECONDS) -> Iterator[None]:
        """Keep other runs from editing for the time of a with block; waits that long for its turn.

        Raises VaultFileError when another run keeps it.
        """
        try:
            with whole_file.locked(self.path.parent, seconds):
                yield
        except whole_file.Busy:
            raise VaultFileError(
                f"{self.path}: another run is editing it. Try again when that one has ended"
            ) from None

    def read(self) -> str | None:
        """Return the vault's text; None when there is no vault.

        Raises VaultFileError for one that cannot be decrypted, and for one that holds passwords in the clear.
        """
        content = _read(self.path)
        if content is None:
            return None
        if is_encrypted(content):
            return self._decrypt(self.path, content)
        return self._plain(content)

    def _plain(self, content: bytes) -> str:
        """Accept an unencrypted file that holds no password yet."""
        try:
            text = content.decode()
            held = any(password for entries in read_maps(text).values() for password in entries.values())
        except UnicodeDecodeError:
            raise VaultFileError(f"{self.path}: is not text") from None
        except DocumentError as error:
            raise VaultFileError(f"{self.path}: is not encrypted, and {error}") from None
        if held:
            raise VaultFileError(
                f"{self.path}: holds passwords that anybody who gets the file can read. "
                f"Encrypt it: ansible-vault encrypt --ask-vault-pass {self.path}"
            )
        return text

    def encrypt_new_with(self, vault_id: str | None, secret: Secret) -> None:
        """Choose the password for a vault that is not encrypted yet."""
        self._used = (vault_id, secret)

    @property
    def is_new(self) -> bool:
        """True as long as no password is known that the vault is encrypted with."""
        return self._used is None

    def write(self, text: str) -> None:
        """Replace the vault, encrypted with the password it was read with."""
        _replace(self.path, self._encrypt(text))

    def read_journal(self) -> Journal | None:
        """Return the journal of a rotation that is under way or was cut short."""
        content = _read(self.journal_path)
        if content is None:
            return None
        text = self._decrypt(self.journal_path, content) if is_encrypted(content) else ""
        try:
            return Journal.from_json(text)
        except ValueError as error:
            raise VaultFileError(
                f"{self.journal_path}: {error}. Look whether {self.path.name} holds the passwords in use, "
                "then remove this file"
            ) from None

    def write_journal(self, journal: Journal) -> None:
        """Write the journal; on return it is on the disk."""
        _replace(self.journal_path, self._encrypt(journal.to_json()))

    def remove_journal(self) -> None:
        """End the rotation."""
        self.journal_path.unlink(missing_ok=True)
        whole_file.sync_directory(self.path.parent)

    def _decrypt(self, path: Path, content: bytes) -> str:
        if not self._secrets:
            raise VaultFileError(f"{path}: is encrypted, and {NO_PASSWORD}")
        try:
            plain, _, secret = VaultLib(list(self._secrets)).decrypt_and_get_vault_id(content)
            label = parse_vaulttext_envelope(content)[3]
            text: str = bytes(plain).decode()
        except (AnsibleError, UnicodeDecodeError):
            raise VaultFileError(
                f"{path}: no vault password of this run decrypts it. Give the one it was encrypted with: "
                "--ask-vault-pass (-J), or ANSIBLE_VAULT_PASSWORD_FILE=<file>"
            ) from None
        if self._used is None:
            self._used = (label, secret)
        return text

    def _encrypt(self, text: str) -> bytes:
        if self._used is None:
            raise VaultFileError(f"{self.path}: {NO_PASSWORD}")
        label, secret = self._used
        return bytes(VaultLib([(label or "default", secret)]).encrypt(text, secret, vault_id=label))


def secret_for_new(secrets: Secrets, vault_id: str | None, configured: Sequence[str]) -> tuple[str, Secret]:
    """Choose what a new vault is encrypted with: the named id, else ``default``, else the only one given.

    ``configured``: ids that ansible.cfg gives to every run. They are the lab's, and never taken unasked.
    Raises VaultFileError when there is none or more than one to choose from.
    """
    by_id = dict(reversed([(name, secret) for name, secret in secrets]))
    if vault_id is not None:
        if vault_id not in by_id:
            raise VaultFileError(f"vault id {vault_id!r}: {NO_PASSWORD}")
        return vault_id, by_id[vault_id]
    if "default" in by_id:
        return "default", by_id["default"]
    given = [name for name in by_id if name not in configured]
    if len(given) == 1:
        return given[0], by_id[given[0]]
    if given:
        raise VaultFileError(f"several vault ids were given, {', '.join(sorted(given))}: give one")
    raise VaultFileError(NO_PASSWORD[0].upper() + NO_PASSWORD[1:])


def this_run(pid: int) -> Owner:
    """Return the owner of a rotation that process ``pid`` of this machine runs."""
    return Owner(socket.gethostname(), pid, _started(pid))


def still_runs(owner: Owner) -> bool:
    """Say whether the owner's process is alive; one of another machine cannot be, as far as can be told."""
    if owner.host != socket.gethostname():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(owner.pid) == owner.started


def _started(pid: int) -> str:
    """When a process began, in ticks after which boot; empty where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    return f"{fields[19]}@{boot}"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultFileError(f"{path}: cannot be read: {error.strerror}") from None


def _replace(path: Path, content: bytes) -> None:
    try:
        whole_file.replace(path, content)
    except OSError as error:
        raise VaultFileError(f"{path}: cannot be written: {error.strerror}") from None
