"""Where the lab keeps its files; what it makes lives below ``.cache/lab``, but for the vault and its key."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE_DIR = ROOT / ".cache" / "lab"
IMAGES_DIR = ROOT / "lab" / "images"

CLIENT_KEY = CACHE_DIR / "id_ed25519"
HOST_KEY = CACHE_DIR / "ssh_host_ed25519_key"
KNOWN_HOSTS = CACHE_DIR / "known_hosts"
LOCK = ROOT / ".cache" / "lab.lock"  # outlives CACHE_DIR, which `down` removes
FAILED_TESTS = ROOT / ".cache" / "failed-tests"

# The engine is the machine's, not this checkout's.
ENGINE_LOG = Path("/var/log/callcenter-dockerd.log")
ENGINE_PID = Path("/run/callcenter-dockerd.pid")

INVENTORY_DIR = ROOT / "inventory" / "lab"
MODEL = INVENTORY_DIR / "group_vars" / "pbx" / "model.yml"
VAULT = INVENTORY_DIR / "group_vars" / "pbx" / "vault.yml"
BLACKLIST = INVENTORY_DIR / "group_vars" / "pbx" / "blacklist.yml"
VAULT_KEY = INVENTORY_DIR / ".vault-key"
SUDO_PASSWORD_PROGRAM = ROOT / "lab" / "sudo-password"  # prints it, and makes it at first use
VAULT_KEY_PROGRAM = ROOT / "lab" / "vault-key"  # prints the key, and makes it at first use
