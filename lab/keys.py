"""SSH between the controller and the lab's server: the user's key, the server's key, known_hosts.

The server's host key is made here and handed to it, so that it is the same after every re-creation
and known before the first connection.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.console import LabError
from lab.hosts import PBX
from lab.paths import CLIENT_KEY, HOST_KEY, KNOWN_HOSTS, SUDO_PASSWORD_PROGRAM


def ensure_keys() -> None:
    """Create the missing ones of both key pairs, and write known_hosts.

    Raises:
        LabError: ssh-keygen fails.
    """
    for path, comment in ((CLIENT_KEY, "lab"), (HOST_KEY, PBX.name)):
        if not path.exists():
            _generate(path, comment)
    wanted = known_hosts_line(public_key(HOST_KEY))
    if not KNOWN_HOSTS.exists() or KNOWN_HOSTS.read_text(encoding="utf-8") != wanted:
        KNOWN_HOSTS.write_text(wanted, encoding="utf-8")


def sudo_password() -> str:
    """Return the password of the server's user whom sudo asks for one, made at first use."""
    done = subprocess.run([SUDO_PASSWORD_PROGRAM], capture_output=True, text=True, check=True)
    return done.stdout


def public_key(private: Path) -> str:
    """Content of the ``.pub`` file beside a private key."""
    return private.with_name(f"{private.name}.pub").read_text(encoding="utf-8")


def ssh_word(path: Path) -> str:
    """A path as an option of ssh takes it, which reads quotes and expands percent signs."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def known_hosts_line(key: str) -> str:
    """known_hosts entry of the lab's server for a public key (``type base64 comment``)."""
    return f"{PBX.name},{PBX.address} {' '.join(key.split()[:2])}\n"


def _generate(path: Path, comment: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise LabError(f"ssh-keygen failed for {path}: {result.stderr.strip()}")
