"""Counting in the log, as Asterisk 22.10.1 writes it."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.log import Activity, read_activity

CUT = "ts from a line cut in two - Dial\n"
REFUSED = (
    "[2026-11-23 01:16:19] NOTICE[30] res_pjsip/pjsip_distributor.c: Request 'INVITE' from '<sip:x@[::]>' "
    "failed for '{source}:39168' (callid: 90d7@probe) - No matching endpoint found\n"
)
NO_AUTH = (
    "[2026-11-23 01:17:00] ERROR[30] res_pjsip_outbound_authenticator_digest.c: Endpoint: 'twilio-na-us': "
    "There were no auth ids available\n"
)
ABROAD = (
    "[2026-11-23 01:18:00 +0000] WARNING[31][C-00000002] Ext. +493012345678: "
    "First call abroad of extension 102: to +493012345678\n"
)
TWICE = (
    "[2026-11-23 02:18:00 +0000] WARNING[31][C-00000003] Ext. s: "
    "Extension 102 has called outside for 33 minutes today: twice its usual 16\n"
)
DIAL = "[2026-11-23 01:17:01] VERBOSE[31][C-1] app_dial.c: Called PJSIP/100 by Dial\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", Activity("", 0, {}, 0), id="empty"),
        pytest.param(
            CUT + DIAL + NO_AUTH * 2, Activity("2026-11-23 01:17:01", 2, {}, 2), id="calls and missing auths"
        ),
        pytest.param(
            REFUSED.format(source="198.51.100.9") + REFUSED.format(source="[2001:db8::9]") * 2,
            Activity("2026-11-23 01:16:19", 3, {"2001:db8::9": 2, "198.51.100.9": 1}, 0),
            id="refused sources, most frequent first",
        ),
        pytest.param(
            # What a stranger dials or is called stands in the middle of a line.
            ABROAD + TWICE + f"[2026-11-23 03:00:00] NOTICE[30] pbx.c: {ABROAD}",
            Activity(
                "2026-11-23 01:18:00 +0000",
                0,
                {},
                0,
                (
                    "2026-11-23 01:18:00 +0000: First call abroad of extension 102: to +493012345678",
                    "2026-11-23 02:18:00 +0000: Extension 102 has called outside for 33 minutes today: "
                    "twice its usual 16",
                ),
            ),
            id="sudden changes",
        ),
    ],
)
def test_read_activity(text: str, expected: Activity) -> None:
    found = read_activity(text)
    assert found == expected
    assert list(found.no_endpoint) == list(expected.no_endpoint)
