# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Pure readers for the `host_state` module: text and Docker replies in, plain dictionaries out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

RUNNING_STATES = frozenset({"active", "reloading", "refreshing"})
ENABLED_STATES = frozenset({"enabled", "enabled-runtime", "static", "alias", "generated", "indirect"})


def parse_os_release(text: str) -> dict[str, str]:
    """Return `id`, `version_id` and `pretty_name` of an os-release file; a missing field is ''.

    The file is shell syntax: `KEY=value`, possibly quoted. Lines that are not such are passed over.
    """
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, raw = line.strip().partition("=")
        if not separator or key.startswith("#"):
            continue
        try:
            words = shlex.split(raw)
        except ValueError:
            continue
        fields[key] = words[0] if words else ""
    return {
        "id": fields.get("ID", ""),
        "version_id": fields.get("VERSION_ID", ""),
        "pretty_name": fields.get("PRETTY_NAME", ""),
    }


def parse_packages(text: str, wanted: Iterable[str]) -> dict[str, str | None]:
    """Map each wanted package to its installed version, or None.

    `text` holds lines of `name<TAB>dpkg status<TAB>version`. Only the status `installed` counts:
    a removed package whose configuration files remain is not there.
    """
    installed: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == 3 and fields[1] == "installed":
            installed[fields[0]] = fields[2]
    return {name: installed.get(name) for name in wanted}


def parse_units(text: str, wanted: Iterable[str]) -> dict[str, dict[str, bool]]:
    """Map each wanted unit to `{active, enabled}` from the blocks of `systemctl show`.

    systemctl prints one block a unit, blocks separated by an empty line, in the order asked for.
    Without a block (no systemd, no such unit) both are False.
    """
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in text.split("\n\n")]
    units: dict[str, dict[str, bool]] = {}
    for index, name in enumerate(wanted):
        block = blocks[index] if index < len(blocks) else {}
        units[name] = {
            "active": block.get("ActiveState") in RUNNING_STATES,
            "enabled": block.get("UnitFileState") in ENABLED_STATES,
        }
    return units


def astray(
    wanted: Iterable[Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the entries whose path is there with another owner, group or mode than they say.

    :param wanted: mappings with ``path``, ``owner`` (number of user and group, 0 unless given) and ``mode``
        (octal text; any unless given)
    :param files: what a survey found, by path
    """
    return [
        one
        for one in wanted
        if (found := files[one["path"]])["exists"]
        and (
            {found["uid"], found["gid"]} != {int(one.get("owner", 0))}
            or found["mode"] != one.get("mode", found["mode"])
        )
    ]


def parse_daemon_config(text: str) -> tuple[dict[str, Any], str | None]:
    """Return Docker's daemon.json as (mapping, error); an empty file is an empty mapping.

    The error says what is wrong and where, or is None.
    """
    if not text.strip():
        return {}, None
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, f"line {error.lineno}, column {error.colno}: {error.msg}"
    if not isinstance(parsed, dict):
        return {}, f"the top level is a {type(parsed).__name__}, not an object"
    return parsed, None


def firewall_backend(info: Mapping[str, Any] | None, daemon_config: Mapping[str, Any]) -> str | None:
    """Name the firewall Docker programs: `iptables`, `nftables`, or None when that cannot be known.

    A running engine (`info`) that reports no backend predates the choice: it uses iptables. Without a running
    engine only an explicit setting tells.
    """
    if info is not None:
        driver = str((info.get("FirewallBackend") or {}).get("Driver") or "iptables")
        return driver.split("+", 1)[0]  # `iptables+firewalld` when firewalld runs
    configured = daemon_config.get("firewall-backend")
    return str(configured) if configured else None


def image_view(inspected: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `{present, id, size (bytes), labels}` of an image inspection, None meaning no such image."""
    if inspected is None:
        return {"present": False, "id": None, "size": None, "labels": {}}
    return {
        "present": True,
        "id": inspected.get("Id"),
        "size": inspected.get("Size"),
        "labels": (inspected.get("Config") or {}).get("Labels") or {},
    }


def container_view(inspected: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `{exists, running, health, image, image_id, labels, started_at}` of an inspection.

    `health` is Docker's word (`healthy`, `unhealthy`, `starting`) or None without a health check.
    """
    if inspected is None:
        return {
            "exists": False,
            "running": False,
            "health": None,
            "image": None,
            "image_id": None,
            "labels": {},
            "started_at": None,
        }
    state = inspected.get("State") or {}
    config = inspected.get("Config") or {}
    health = (state.get("Health") or {}).get("Status")
    return {
        "exists": True,
        "running": bool(state.get("Running")),
        "health": None if health in (None, "none") else health,
        "image": config.get("Image"),
        "image_id": inspected.get("Image"),
        "labels": config.get("Labels") or {},
        "started_at": state.get("StartedAt"),
    }
