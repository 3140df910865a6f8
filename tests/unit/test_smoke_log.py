"""Counting in the log, as Asterisk 22.10.1 writes it."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke_log import Activity, read_activity

CUT = "ts from a line cut in two - Dial\n"
REFUSED = (
    "[2026-11-23 01:16:19] NOTICE[30] res_pjsip/pjsip_distributor.c: Request 'INVITE' from '<sip:x@[::]>' "
    "failed for '{source}:39168' (callid: 90d7@probe) - No matching endpoint found\n"
)
NO_AUTH = (
    "[2026-11-23 01:17:00] ERROR[30] res_pjsip_outbound_authenticator_digest.c: Endpoint: 'twilio-na-us': "
    "There were no auth ids available\n"
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
    ],
)
def test_read_activity(text: str, expected: Activity) -> None:
    found = read_activity(text)
    assert found == expected
    assert list(found.no_endpoint) == list(expected.no_endpoint)
