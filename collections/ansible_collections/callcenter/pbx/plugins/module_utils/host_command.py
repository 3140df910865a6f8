# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""How commands of the host are found and run, whoever called us: by root's usual path, without a language."""

from __future__ import annotations

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"}
