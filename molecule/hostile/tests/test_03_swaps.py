"""While the list is replaced 25 times, no packet of a listed source passes and none of another is lost."""

from __future__ import annotations

from pathlib import Path

from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed, run_playbook
from lab.driver.scanner import Scanner

SWAPS = Path(__file__).with_name("swaps.yml")


LENGTH = 10_000


def test_listed_is_dropped_and_unlisted_is_answered_all_the_time(lab: Parties, tmp_path: Path) -> None:
    long_list = tmp_path / "long.txt"
    long_list.write_text("".join(f"24.{n >> 15}.{n >> 7 & 255}.{2 * n & 255}\n" for n in range(LENGTH)))
    # A stranger who asks that often would be banned; a carrier is not.
    listed, unlisted = lab.scanner, Scanner(lab.umatilla.machine, lab.pbx)
    variables = {"scanner": listed.machine.address, "long_list": str(long_list)}
    with redeployed("playbooks/host.yml", {"pbx_blacklist": [listed.machine.address]}):
        asking = [speaker.keep_asking("OPTIONS", interval=0.01) for speaker in (listed, unlisted)]
        try:
            with record(listed.machine, unlisted.machine) as recorded:
                swapped = run_playbook(str(SWAPS), variables=variables)
        finally:
            for process in asking:
                process.stop()
    assert swapped.exit_code == 0, swapped.output
    heard = recorded.of(listed.machine).sip
    assert len(heard) > 500
    assert [item for item in heard if item.source.host == lab.pbx.address] == []
    exchanged = recorded.of(unlisted.machine).sip
    asked = {
        i.message.call_id
        for i in exchanged
        if i.message.is_request
        and i.message.method == "OPTIONS"
        and i.source.host == unlisted.machine.address
    }
    answered = {i.message.call_id for i in exchanged if i.message.status}
    assert len(asked) > 500
    # The last ones were still on their way.
    assert len(asked - answered) <= 2
