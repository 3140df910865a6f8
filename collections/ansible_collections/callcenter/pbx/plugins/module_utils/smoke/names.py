# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Ask for the carriers' names as the PBX does: from its container's network, of its own name server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import ENVIRONMENT

SECONDS = 4
"""So often it is asked, and so long: a question may get lost, and Asterisk waits as long."""

# Docker answers at 127.0.0.11 of every container's network, and asks the name servers that the container was
# given. An A record will do, else an SRV record (RFC 3263). Standard library only: it runs in their network.
_ASK = r"""
import json, socket, struct, sys
def ask(name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", 22, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(1)
        for last in (False,) * (int(sys.argv[1]) - 1) + (True,):
            channel.sendto(query, ("127.0.0.11", 53))
            try:
                answer = channel.recv(4096)
                break
            except OSError:
                if last:
                    raise
    _id, flags, _questions, answers, _more, _rest = struct.unpack("!6H", answer[:12])
    return flags & 15, answers
def found(name):
    try:
        status, answers = ask(name, 1)
        if not answers:
            status, answers = ask("_sip._udp." + name, 33)
    except OSError:
        return "its name server does not answer"
    if answers:
        return None
    if status in (0, 3):
        return "there is no such name"
    # Docker says 2, for a name server that it cannot reach.
    return "its name server does not answer" if status == 2 else "its name server refuses to answer"
print(json.dumps({name: found(name) for name in sys.argv[2:]}))
"""


def resolve(pid: int, names: Sequence[str]) -> dict[str, str | None]:
    """Return for each name why it cannot be resolved, or None.

    :param pid: a process in the container's network
    """
    if not names:
        return {}
    inside = [
        "nsenter",
        f"--net=/proc/{pid}/ns/net",
        sys.executable,
        "-I",
        "-S",
        "-c",
        _ASK,
        str(SECONDS),
        *names,
    ]
    try:
        done = subprocess.run(
            inside,
            capture_output=True,
            text=True,
            check=True,
            env=ENVIRONMENT,
            timeout=2 * SECONDS * len(names) + 5,
        )
        found: dict[str, str | None] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return dict.fromkeys(names, f"the container's name server cannot be asked ({type(error).__name__})")
    return found
