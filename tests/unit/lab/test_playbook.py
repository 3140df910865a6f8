"""The recap of a run is read; a run that never reached the host has none."""

from __future__ import annotations

from lab.driver.playbook import PlaybookResult

RECAP = """
PLAY RECAP *********************************************************************
lab-pbx                    : ok=12   changed=3    unreachable=0    failed=0    skipped=2
"""


def test_recap_is_read() -> None:
    result = PlaybookResult(0, RECAP)
    assert (result.ok, result.changed) == (12, 3)


def test_run_without_recap_counts_nothing() -> None:
    result = PlaybookResult(4, "ERROR! the playbook could not be found")
    assert (result.ok, result.changed) == (0, 0)


def test_folded_sentences_can_be_searched() -> None:
    assert PlaybookResult(2, "msg: one\n      long   sentence").words == "msg: one long sentence"
