# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Read the end of Asterisk's `messages` log: how busy it is, and the guide's two complaints."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

LOG_IN_CONTAINER = "/var/log/asterisk/messages"

_STAMP = re.compile(r"^\[(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\]")
_CALL = re.compile(r"INVITE|Dial|from-twilio")  # what the guide's `grep -E` follows
_NO_ENDPOINT = re.compile(
    r" failed for '\[?(?P<source>[0-9A-Fa-f.:]+?)\]?:\d+'.* - No matching endpoint found"
)
_NO_AUTH = "There were no auth ids available"
_SHOWN_SOURCES = 20


@dataclass(frozen=True)
class Activity:
    """What the log's end holds.

    ``since``: time of its first complete line, '' without one; ``calls``: lines about calls;
    ``no_endpoint``: refusals as "No matching endpoint found" by source address, the most frequent ones first;
    ``no_auth``: lines saying "There were no auth ids available".
    """

    since: str
    calls: int
    no_endpoint: dict[str, int]
    no_auth: int


def read_activity(text: str) -> Activity:
    """Count in the log's text; an incomplete first line does no harm."""
    since = ""
    calls = no_auth = 0
    sources: Counter[str] = Counter()
    for line in text.splitlines():
        if not since and (stamp := _STAMP.match(line)):
            since = stamp["stamp"]
        calls += _CALL.search(line) is not None
        no_auth += _NO_AUTH in line
        if refused := _NO_ENDPOINT.search(line):
            sources[refused["source"]] += 1
    return Activity(since, calls, dict(sources.most_common(_SHOWN_SOURCES)), no_auth)
