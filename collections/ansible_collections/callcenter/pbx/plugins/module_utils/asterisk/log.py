# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Read the end of Asterisk's `messages` log: how busy it is, and the guide's two complaints."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

# What people read, and what fail2ban reads.
LOGS_IN_CONTAINER = tuple(f"/var/log/asterisk/{name}" for name in ("messages", "notices", "security"))

_STAMP = re.compile(r"^\[(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: [+-]\d{4})?)\]")
_CALL = re.compile(r"INVITE|Dial|from-twilio")  # what the guide's `grep -E` follows
_NO_ENDPOINT = re.compile(
    r" failed for '\[?(?P<source>[0-9A-Fa-f.:]+?)\]?:\d+'.* - No matching endpoint found"
)
_NO_AUTH = "There were no auth ids available"
_SHOWN_SOURCES = 20
_CHANGE = re.compile(
    r"^\[(?P<stamp>[^\]]+)\] WARNING\[\d+\](?:\[C-[0-9a-f]+\])?:? Ext\. [+\w]+(?::\d+ @ [\w-]+)?: "
    r"(?P<what>First call abroad of extension \d+: to [+]\d+|"
    r"Extension \d+ has called outside for \d+ minutes today: twice its usual \d+)$"
)
_SHOWN_CHANGES = 3


@dataclass(frozen=True)
class Activity:
    """What the log's end holds.

    ``since``: time of its first complete line, '' without one; ``calls``: lines about calls;
    ``no_endpoint``: refusals as "No matching endpoint found" by source address, the most frequent ones first;
    ``no_auth``: lines saying "There were no auth ids available"; ``changes``: what is said last of extensions
    that call abroad for the first time, or twice as long as usual.
    """

    since: str
    calls: int
    no_endpoint: dict[str, int]
    no_auth: int
    changes: tuple[str, ...] = ()


def read_activity(text: str) -> Activity:
    """Count in the log's text; an incomplete first line does no harm."""
    since = ""
    calls = no_auth = 0
    sources: Counter[str] = Counter()
    changes: list[str] = []
    for line in text.splitlines():
        if not since and (stamp := _STAMP.match(line)):
            since = stamp["stamp"]
        calls += _CALL.search(line) is not None
        no_auth += _NO_AUTH in line
        if refused := _NO_ENDPOINT.search(line):
            sources[refused["source"]] += 1
        if changed := _CHANGE.match(line):
            changes.append(f"{changed['stamp']}: {changed['what']}")
    return Activity(
        since, calls, dict(sources.most_common(_SHOWN_SOURCES)), no_auth, tuple(changes[-_SHOWN_CHANGES:])
    )
