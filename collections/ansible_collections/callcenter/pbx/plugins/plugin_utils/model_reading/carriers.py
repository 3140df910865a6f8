"""What carriers publish about themselves, from the data file beside this module."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CARRIERS_FILE = Path(__file__).with_name("carriers.yml")


@functools.cache
def carriers() -> Mapping[str, Mapping[str, Any]]:
    """Return the carriers by the name of their profile."""
    found: dict[str, Mapping[str, Any]] = yaml.safe_load(CARRIERS_FILE.read_text(encoding="utf-8"))
    return found


def realm_at(host: str) -> str:
    """Return the realm in which the carrier at a termination host challenges; '' where it is not known."""
    name = host.lower()
    return next(
        (one["auth_realm"] for one in carriers().values() if name.endswith(f".{one['termination_domain']}")),
        "",
    )
