"""The container a release is tried in, and the comparison of what runs with what was sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.release.pbx import (
    MOST_COMPARED,
    differences,
    parse_time,
    sample,
    validation_container,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.release.plan import PjsipObject
from ansible_collections.callcenter.pbx.plugins.module_utils.release.transaction import Snapshot

AUTH = PjsipObject("auth", "100-iauth")
SENT = Snapshot(
    {"endpoint": frozenset({"100"}), "auth": frozenset({"100-iauth"})},
    {"internal": ("1. Dial(PJSIP/100)",)},
    {AUTH: (("password", "new"), ("username", "100"))},
)


def test_what_runs_as_sent_has_no_difference() -> None:
    assert differences(SENT, SENT) == []


def test_nothing_is_expected_of_an_empty_snapshot() -> None:
    assert differences(Snapshot(), SENT) == []


def test_differences_name_the_object_and_never_the_value() -> None:
    runs = Snapshot(
        {"endpoint": frozenset({"101"}), "auth": frozenset({"100-iauth"})},
        {"internal": ("1. Hangup()",)},
        {AUTH: (("password", "old"), ("username", "100"))},
    )
    assert differences(SENT, runs) == [
        "endpoint '100' did not appear",
        "endpoint '101' did not go away",
        "auth '100-iauth' kept its former password",
        "dialplan context 'internal' is not what was sent",
    ]


AOR = PjsipObject("aor", "100")
CONTACTS = {
    "a phone has registered meanwhile": ("", "sip:100@192.0.2.100", []),
    "a carrier's contact is another": ("sip:a", "sip:b", ["aor '100' kept its former contact"]),
    "a carrier's contact is gone": ("sip:a", "", ["aor '100' kept its former contact"]),
}


@pytest.mark.parametrize(("sent", "found", "faults"), CONTACTS.values(), ids=CONTACTS)
def test_only_contacts_that_were_sent_are_compared(sent: str, found: str, faults: list[str]) -> None:
    objects = {"aor": frozenset({"100"})}
    one, other = (Snapshot(objects, {}, {AOR: (("contact", uri), ("max", "1"))}) for uri in (sent, found))
    assert differences(one, other) == faults


def test_an_absent_object_is_named_once() -> None:
    runs = Snapshot({**SENT.objects, "auth": frozenset()}, SENT.contexts, {AUTH: ()})
    assert differences(SENT, runs) == ["auth '100-iauth' did not appear"]


def test_of_many_objects_a_sample_is_compared() -> None:
    names = frozenset(str(number) for number in range(1000))
    objects = [PjsipObject("auth", name) for name in names] + [PjsipObject("identify", "none")]
    chosen = sample(objects, Snapshot({"auth": names}))
    assert len(chosen) == MOST_COMPARED
    assert sample(objects[:3], Snapshot({"auth": names})) == sorted(objects[:3], key=str)
    assert sample([], Snapshot()) == []


def test_the_trial_has_no_network_no_rights_and_no_state() -> None:
    container = validation_container("app:1", "15060:15060", Path("/opt/callcenter/x"))
    host = container["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert host["Binds"] == ["/opt/callcenter/x:/srv/asterisk/config:ro"]
    assert container["User"] == "15060:15060"
    assert "/var/lib/asterisk/astdb" in host["Tmpfs"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01T00:00:00.5Z", 1767225600.5),
        ("2026-01-01T00:00:00.123456789Z", 1767225600.123456789),
    ],
)
def test_the_engines_time_is_read(text: str, expected: float) -> None:
    assert parse_time(text) == pytest.approx(expected)
