# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Smoke check: nothing newer is known of what the PBX stands on, and its image is not old."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Evidence,
    Outcome,
    Problem,
    Wanted,
    outcome,
)

OLD_LISTS_DAYS = 14
OLD_IMAGE_DAYS = 30
_DAY = 86400
_POLICY = re.compile(
    r"^(?P<name>\S+):\n +Installed: (?P<installed>\S+)\n +Candidate: (?P<candidate>\S+)$", re.MULTILINE
)


def updates_are_in(wanted: Wanted, evidence: Evidence) -> Outcome:
    """The packages are the newest that the server knows of, which it has asked for lately."""
    found = evidence.raw["host"]["apt"]
    image_days = _image_days(evidence)
    age = f"image of {image_days} days" if image_days is not None else "no image"
    if found["error"]:
        return outcome(f"{age}; apt does not say")
    problems = [*_newer(found["text"]), *_old(evidence, image_days)]
    return outcome(f"{age}; {'see below' if problems else 'nothing newer known'}", problems)


def _newer(text: str) -> Iterator[Problem]:
    for one in _POLICY.finditer(text):
        if one["installed"] != "(none)" and one["installed"] != one["candidate"]:
            seen = f"{one['name']} {one['installed']} is installed, {one['candidate']} is there"
            yield Problem(seen, is_warning=True)


def _old(evidence: Evidence, image_days: int | None) -> Iterator[Problem]:
    lists = evidence.raw["lists_seconds"]
    if lists is None or lists > OLD_LISTS_DAYS * _DAY:
        days = "ever" if lists is None else f"for {lists // _DAY} days"
        yield Problem(
            f"the package lists were not fetched {days}: nobody knows what is newer", is_warning=True
        )
    if image_days is not None and image_days > OLD_IMAGE_DAYS:
        yield Problem(f"Asterisk's image was built {image_days} days ago", is_warning=True)


def _image_days(evidence: Evidence) -> int | None:
    created = (evidence.container or {}).get("image_created")
    if not created:
        return None
    # The engine writes nanoseconds, which Python does not read.
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", created).replace("Z", "+00:00"))
    return max(0, (datetime.now(UTC) - moment).days)
