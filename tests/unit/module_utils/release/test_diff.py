"""Differences show what changes and no secret."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.release.diff import Masker, unified

OLD = {"pjsip_auth.conf": "[100]\ntype=auth\npassword=forgotten one\nusername=100\n", "gone.conf": "[x]\n"}
NEW = {
    "pjsip_auth.conf": "[100]\ntype=auth\npassword=brand-new\nusername=101\n",
    "extensions.conf": "[globals]\nPIN=geheim4711\n",
}


def test_a_difference_shows_lines_and_hides_secrets() -> None:
    assert unified(OLD, NEW, Masker(["brand-new", "geheim4711"])) == (
        "--- /dev/null\n+++ b/extensions.conf\n@@ -0,0 +1,2 @@\n+[globals]\n+PIN=********\n"
        "--- a/gone.conf\n+++ /dev/null\n@@ -1 +0,0 @@\n-[x]\n"
        "--- a/pjsip_auth.conf\n+++ b/pjsip_auth.conf\n@@ -1,4 +1,4 @@\n [100]\n type=auth\n"
        "-password=********\n-username=100\n+password=******** (new)\n+username=101\n"
    )


def test_equal_trees_have_no_difference() -> None:
    assert unified(OLD, dict(OLD), Masker([])) == ""


SENTENCES = {
    "a digest in Asterisk's words": (
        "Error parsing password_digest=MD5:00ff at line 6 of x (x:6: password_digest=MD5:00ff)",
        "Error parsing password_digest=******** at line 6 of x (x:6: password_digest=********)",
    ),
    "a known value": ("call it Tr0ub4dor now", "call it ******** now"),
    "a wizard's key": ("inbound_auth/password = abc", "inbound_auth/password = ********"),
    "nothing secret": ("endpoint '100' is missing", "endpoint '100' is missing"),
}


@pytest.mark.parametrize(("text", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_a_message_hides_secrets(text: str, expected: str) -> None:
    assert Masker(["Tr0ub4dor", "1"]).sentence(text) == expected


@pytest.mark.parametrize(
    "line", ["password = s p a c e", ";password=old", "inbound_auth/password=>x", "secret=y"]
)
def test_a_setting_is_masked_however_it_is_written(line: str) -> None:
    masked = Masker([]).file(line)
    assert masked.endswith("********")
    assert not {"s p a c e", "old", ">x", "y"} & {masked.split("=")[-1].strip()}
