"""A site's own Asterisk files: a phone reaches what they add; what would break the house never goes live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.driver.agents import Talk
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import deploy, run_playbook
from lab.paths import INVENTORY_DIR

DIRECTORY = INVENTORY_DIR / "asterisk"
ECHO = {
    "modules.conf": "[modules](+)\nload = app_echo.so\n",
    "extensions.conf": (
        "[site-internal]\n"
        "exten => *43,1,Answer()\n same => n,Echo()\n"
        # Neither shadows an emergency number, nor goes round the policy.
        "exten => 911,1,Hangup()\n"
        "exten => *44,1,Goto(outbound-call,+15551234567,1)\n"
    ),
    "pjsip_wizard.conf": "[100](+)\nendpoint/dtmf_mode = info\n",
}


@pytest.fixture(scope="module")
def own_files(lab: Parties) -> Iterator[Path]:
    """The files of the example in docs/asterisk-files.md; afterwards the site has none."""
    DIRECTORY.mkdir()
    try:
        for name, text in ECHO.items():
            (DIRECTORY / name).write_text(text)
        deploy("playbooks/pbx.yml")
        lab.server.wait_until_healthy()
        lab.switch_on()
        yield DIRECTORY
    finally:
        for path in DIRECTORY.iterdir():
            path.unlink()
        DIRECTORY.rmdir()
        deploy("playbooks/pbx.yml")
        lab.server.wait_until_healthy()
        lab.switch_on()


@pytest.mark.usefixtures("own_files")
class TestOwnFiles:
    def test_a_phone_hears_its_own_echo(self, lab: Parties) -> None:
        talk = Talk(seconds=2)
        with record(lab.phone_100.machine) as recorded:
            result = lab.phone_100.call("*43", talk).wait()
        assert result.status == 200
        leg = recorded.of(lab.phone_100.machine).leg(result.call_id)
        assert leg.received is not None and leg.received.packets > 80, "of a hundred sent"

    def test_an_option_reaches_the_phone(self, lab: Parties) -> None:
        assert "dtmf_mode                          : info" in lab.server.asterisk("pjsip show endpoint 100")

    def test_an_emergency_number_cannot_be_shadowed(self, lab: Parties) -> None:
        assert lab.phone_100.call("911", Talk(seconds=1)).wait().status == 200

    def test_calls_outside_go_through_the_policy(self, lab: Parties) -> None:
        with record(lab.ashburn.machine) as recorded:
            assert lab.phone_100.call("*44", Talk(seconds=1)).wait().status == 200
        (invite,) = {item.uri for item in recorded.of(lab.ashburn.machine).received_invites()}
        assert invite.startswith("sip:+15551234567@")

    def test_smoke_is_green_and_a_second_run_changes_nothing(self) -> None:
        run = run_playbook("site.yml")
        assert (run.exit_code, run.changed) == (0, 0), run.output

    def test_what_is_refused_names_file_and_line_and_touches_nothing(
        self, lab: Parties, own_files: Path
    ) -> None:
        release = lab.server.live_release()
        bad = own_files / "extensions.conf"
        bad.write_text(
            f"{ECHO['extensions.conf']}[from-twilio](+)\nexten => _X.,1,Goto(outbound-call,+1900,1)\n"
        )
        try:
            run = run_playbook("playbooks/pbx.yml")
        finally:
            bad.write_text(ECHO["extensions.conf"])
        assert run.exit_code != 0
        assert "asterisk/extensions.conf:6: [from-twilio](+) is no context of the site's own" in run.words
        assert (run.changed, lab.server.live_release()) == (0, release)

    def test_what_asterisk_refuses_is_said_in_its_words_and_never_live(
        self, lab: Parties, own_files: Path
    ) -> None:
        release = lab.server.live_release()
        bad = own_files / "pjsip_wizard.conf"
        bad.write_text("[100](+)\nendpoint/dtmf_mode = whistle\n")
        try:
            run = run_playbook("playbooks/pbx.yml")
        finally:
            bad.write_text(ECHO["pjsip_wizard.conf"])
        assert run.exit_code != 0
        assert "dtmf_mode" in run.words
        assert lab.server.live_release() == release
