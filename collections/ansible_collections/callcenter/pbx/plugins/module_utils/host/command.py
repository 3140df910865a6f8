# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""How commands of the host are found and run, whoever called us: by root's usual path, without a language."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"}


def begin(*argv: str) -> Callable[[], str]:
    """Start a command; the returned function waits for its end and returns what it printed, '' without it."""
    # Not a pipe: the command would wait for its reader.
    stream = os.fdopen(os.memfd_create(argv[0]), "rb")
    try:
        process = subprocess.Popen(argv, stdout=stream, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    except FileNotFoundError:
        return str

    def finish() -> str:
        process.wait()
        with stream:
            stream.seek(0)
            return stream.read().decode()

    return finish
