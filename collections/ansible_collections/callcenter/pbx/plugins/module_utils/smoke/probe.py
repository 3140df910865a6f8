# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Gather on the server all that the smoke checks look at, in one go. Changes nothing that stays.

The evidence is text as the tools print it, so that the checks can show it. No command is asked whose answer
holds a password; `pjsip list auths` names objects and users only.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import AsteriskCli, AsteriskSilent
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.log import (
    LOGS_IN_CONTAINER,
    read_activity,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import EXPECTED, KNOWN, UNHEARD
from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import ENVIRONMENT
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
    DockerEngine,
    DockerError,
    DockerTimeout,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host.untrusted import read_end
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke import deployed
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke.dialplan import resolve_all
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke.drop import prove
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke.names import resolve

CONSOLE_COMMANDS = (
    "core show version",
    "core show uptime seconds",
    "core show channels count",
    "pjsip show identifies",
    "pjsip show endpoints",
    "pjsip list auths",
    "pjsip list aors",
    "pjsip show transports",
    "pjsip show maintenance",
    "rtp show settings",
    "logger show channels",
)
PACKAGES = (
    "docker.io",
    "docker-ce",
    "containerd",
    "containerd.io",
    "runc",
    "iptables",
    "ipset",
    "conntrack",
    "fail2ban",
)
"""What the roles install and strangers meet, by Debian's and by Docker's own names."""

HOST_COMMANDS = {
    "iptables": ("iptables-save", "-t", "filter"),
    "ip6tables": ("ip6tables-save", "-t", "filter"),
    "raw": ("iptables-save", "-t", "raw"),
    **{names[4]: ("ipset", "save", names[4]) for names in (KNOWN, EXPECTED, UNHEARD)},
    "nft": ("nft", "-j", "list", "ruleset"),
    "sets": ("ipset", "list", "-terse"),
    "jails": ("fail2ban-client", "status"),
    "apt": ("apt-cache", "policy", *PACKAGES),
}
LOG_TAIL_BYTES = 1024 * 1024
ANSWER_SECONDS = 10

# Of a trunk's endpoint these parameters leave the host, no other.
_ENDPOINT_PARAMETERS = frozenset({"allow", "aors", "context", "outbound_auth", "transport"})
_COMPOSE_LABEL = "com.docker.compose."
_FETCHED = (Path("/var/lib/apt/periodic/update-success-stamp"), Path("/var/lib/apt/lists/partial"))
_INTERFACES = Path("/sys/class/net")
_NOT_OPEN = """
for log; do
    for file in /proc/[0-9]*/fd/*; do [ "$file" -ef "$log" ] && continue 2; done
    echo "$log"
done
"""


def gather(
    root_dir: str,
    container: str,
    sip_port: int,
    trunks: Sequence[str],
    dialled: Sequence[Mapping[str, str]],
    names: Sequence[str] = (),
    may_send: bool = True,
) -> dict[str, Any]:
    """Return all evidence, see the module's RETURN.

    :param trunks: names of the trunks' endpoints
    :param dialled: mappings with ``context`` and ``dialled``
    :param names: of carriers, to resolve
    :param may_send: whether to send packets as a banned source, through an interface made for it
    """
    engine = DockerEngine(timeout=ANSWER_SECONDS)
    found, engine_error = _container(engine, container)
    pid = found.pop("pid") if found else 0
    evidence: dict[str, Any] = {
        "deployed": found is not None or (Path(root_dir) / "compose.yml").is_file(),
        "engine_error": engine_error,
        "container": found,
        "lists_seconds": _since_lists_were_fetched(),
    }
    with ThreadPoolExecutor() as pool:
        jobs: dict[str, Future[Any]] = {
            **{name: pool.submit(_output, argv) for name, argv in HOST_COMMANDS.items()},
            "log": pool.submit(_log, Path(root_dir) / "logs/messages"),
            "deployed_files": pool.submit(deployed.read, root_dir),
        }
        if may_send:
            # Once the sets are read: it puts bans into them.
            ports = found["ports"] if found else {}
            jobs["drop"] = pool.submit(_prove_after, jobs["sets"], ports, sip_port)
        if found and found["running"]:
            cli = AsteriskCli(engine, container)
            jobs["console"] = pool.submit(_console, cli, trunks)
            jobs["dialling"] = pool.submit(_dialling, cli, dialled)
            jobs["names"] = pool.submit(resolve, pid, names)
            jobs["closed_logs"] = pool.submit(_closed_logs, engine, container)
    answers = {name: job.result() for name, job in jobs.items()}
    return {
        "console": {"error": "its container does not run", "answers": {}},
        "dialling": [],
        "names": {},
        "closed_logs": list(LOGS_IN_CONTAINER),
        "drop": None,
        **evidence,
        "host": {name: answers.pop(name) for name in HOST_COMMANDS},
        **answers,
    }


def _container(engine: DockerEngine, name: str) -> tuple[dict[str, Any] | None, str | None]:
    """Describe the container as (description, error of the engine); None when it does not exist."""
    try:
        found = engine.container(name)
    except DockerError as error:
        return None, str(error)
    if found is None:
        return None, None
    state = found["State"]
    labels = found["Config"].get("Labels") or {}
    network = found.get("NetworkSettings") or {}
    ports = network.get("Ports") or {}
    networks = (network.get("Networks") or {}).values()
    gateways = {one.get("Gateway") for one in networks}
    return {
        "pid": state.get("Pid", 0),
        "running": bool(state.get("Running")) and not state.get("Restarting"),
        "status": state.get("Status", ""),
        "health": (state.get("Health") or {}).get("Status"),
        "exit_code": state.get("ExitCode", 0),
        "restarts": found.get("RestartCount", 0),
        "started_at": state.get("StartedAt", ""),
        "image": found["Config"].get("Image", ""),
        "image_created": _image_created(engine, found["Image"]),
        "project": labels.get(f"{_COMPOSE_LABEL}project"),
        "service": labels.get(f"{_COMPOSE_LABEL}service"),
        "gateways": sorted(filter(None, gateways)),
        "strays": [
            stray for one in networks for stray in _strays(engine, one["NetworkID"], state.get("Pid", 0))
        ],
        "ports": {
            port: sorted({f"{one['HostIp']} {one['HostPort']}" for one in bound or ()})
            for port, bound in ports.items()
        },
    }, None


def _image_created(engine: DockerEngine, image: str) -> str:
    """Return when an image was made (ISO 8601); '' where the engine does not say."""
    try:
        return str((engine.image(image) or {}).get("Created", ""))
    except DockerError:
        return ""


def _since_lists_were_fetched() -> int | None:
    """Return how many seconds ago apt fetched the package lists, None for never."""
    moments = [path.stat().st_mtime for path in _FETCHED if path.exists()]
    return max(0, int(time.time() - max(moments))) if moments else None


def _strays(engine: DockerEngine, network: str, pid: int) -> list[str]:
    """Return the interfaces on a network's bridge beside the container's own, if no container has them.

    A Docker that was started again without live-restore forgets those of the containers that it ended.
    """
    try:
        found = engine.network(network)
    except DockerError:
        return []
    if found is None or found.get("Driver") != "bridge":
        return []
    bridge = (found.get("Options") or {}).get("com.docker.network.bridge.name", f"br-{found['Id'][:12]}")
    interfaces = {path.name for path in _INTERFACES.glob(f"{bridge}/brif/*")}
    if len(interfaces) <= len(found.get("Containers") or {}):
        return []
    inside = Path(f"/proc/{pid}/root{_INTERFACES}")
    own = {path.read_text() for path in inside.glob("*/iflink")}
    return sorted(name for name in interfaces if (_INTERFACES / name / "ifindex").read_text() not in own)


def _console(cli: AsteriskCli, trunks: Sequence[str]) -> dict[str, Any]:
    shows = [f"pjsip show endpoint {name}" for name in trunks]
    commands = [*CONSOLE_COMMANDS, *shows]
    try:
        answers = dict(zip(commands, cli.run(commands, timeout=ANSWER_SECONDS), strict=True))
    except DockerTimeout:
        return {"error": f"its console gives no answer within {ANSWER_SECONDS} s", "answers": {}}
    except (AsteriskSilent, DockerError) as error:
        return {"error": str(error), "answers": {}}
    if not answers["core show version"].startswith("Asterisk "):
        return {"error": "its console gives no answer (`asterisk -rx`)", "answers": {}}
    answers.update({command: _only_shown_parameters(answers[command]) for command in shows})
    return {"error": None, "answers": answers}


def _only_shown_parameters(answer: str) -> str:
    """Drop the parameters nobody asked for from the answer of `pjsip show endpoint`."""
    return "\n".join(
        line
        for line in answer.splitlines()
        if line.partition(":")[0].strip() in _ENDPOINT_PARAMETERS or line.startswith("Unable to find")
    )


def _dialling(cli: AsteriskCli, dialled: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    numbers = [(check["context"], check["dialled"]) for check in dialled]
    try:
        resolved = resolve_all(numbers, lambda commands: cli.run(commands, timeout=ANSWER_SECONDS))
    except (AsteriskSilent, DockerError):
        return []
    return [
        {"context": context, "dialled": number, **dataclasses.asdict(resolved[context, number])}
        for context, number in numbers
    ]


def _closed_logs(engine: DockerEngine, container: str) -> list[str]:
    """Return the logs at whose path Asterisk does not write: the file was moved away or deleted."""
    try:
        argv = ["sh", "-c", _NOT_OPEN, "sh", *LOGS_IN_CONTAINER]
        done = engine.exec(container, argv, timeout=ANSWER_SECONDS)
    except DockerError:
        return list(LOGS_IN_CONTAINER)
    return done.stdout.split() if done.exit_code == 0 else list(LOGS_IN_CONTAINER)


def _log(path: Path) -> dict[str, Any]:
    """Describe the log file on the host and count in its end."""
    try:
        status, end = read_end(path, LOG_TAIL_BYTES)
        space = os.statvfs(path.parent)
    except OSError as error:
        return {"path": str(path), "error": error.strerror or str(error)}
    return {
        "path": str(path),
        "error": None,
        "size": status.st_size,
        "idle_seconds": max(0, round(time.time() - status.st_mtime)),
        "free_bytes": space.f_bavail * space.f_frsize,
        **dataclasses.asdict(read_activity(end.decode("utf-8", "replace"))),
    }


def _prove_after(job: Future[Any], ports: Mapping[str, Sequence[str]], sip_port: int) -> dict[str, Any]:
    job.result()
    return prove(ports, sip_port)


def _output(argv: Sequence[str]) -> dict[str, str | None]:
    """Return what a read-only host command prints, or why it cannot be asked."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=ANSWER_SECONDS
        )
    except FileNotFoundError:
        return {"text": "", "error": f"{argv[0]} is not installed"}
    except subprocess.TimeoutExpired:
        return {"text": "", "error": f"{argv[0]} gives no answer"}
    error = done.stderr.strip().splitlines()
    return {"text": done.stdout, "error": (error[-1] if error else argv[0]) if done.returncode else None}
