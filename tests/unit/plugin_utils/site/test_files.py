"""A site's own Asterisk files: what they may say, and what each refusal names."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.site.files import KINDS, faults, released

from tests.unit.model_samples import SOUND

MODEL = read_model(SOUND)[0]

GOOD = {
    "extensions.conf": """
[site-internal]
; an echo test, and a group call
exten => *43,1,Answer()
 same => n,Echo()
exten => 700,1,Dial(PJSIP/100&PJSIP/101,20)
exten => 701,1,Goto(outbound-call,+15551234567,1)
exten => 702,1,GotoIf($["${CALLERID(num)}" = "100"]?site-night,s,1:refused,invalid-number,1)
include => site-night
[site-night]
exten => s,1,Playback(vm-goodbye)
 same => n,Goto(done)
 same => n(done),Hangup()
""",
    "modules.conf": "[modules](+)\nload = app_echo.so\nload => func_timeout.so\n",
    "pjsip_wizard.conf": "[100](+)\nendpoint/dtmf_mode = info\nendpoint/device_state_busy_at = 1\n",
    "queues.conf": "[general]\n[support]\nmember => PJSIP/100\nmember => PJSIP/101,1\nstrategy = rrmemory\n",
    "confbridge.conf": "[general]\n[default_user]\ntype = user\n",
    "musiconhold.conf": "[loud]\nmode = files\ndirectory = moh\n",
    "indications.conf": "[xx]\ndescription = ours\n",
}


def write(site: Path, files: dict[str, str | bytes]) -> list[str]:
    """Write files of a site, and return the faults."""
    (site / "asterisk").mkdir(exist_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (site / "asterisk" / name).write_bytes(data)
    return [str(fault) for fault in faults(str(site), MODEL)]


def test_without_the_directory_there_is_nothing(tmp_path: Path) -> None:
    assert list(faults(str(tmp_path), MODEL)) == []
    assert released(str(tmp_path)) == {}


def test_what_keeps_to_the_rules_is_accepted_and_named_for_the_release(tmp_path: Path) -> None:
    assert GOOD.keys() == KINDS.keys(), "an example of each"
    assert write(tmp_path, dict(GOOD)) == []
    assert released(str(tmp_path)).keys() == {
        "site-extensions.conf",
        "site-modules.conf",
        "site-pjsip_wizard.conf",
        "queues.conf",
        "confbridge.conf",
        "site-musiconhold.conf",
        "site-indications.conf",
    }


CONTEXT = "[site-x]\nexten => 700,1,"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("manager.conf", "", "asterisk/manager.conf: is a file that a site cannot add to"),
        ("pjsip.conf", "", "asterisk/pjsip.conf: is a file that a site cannot add to"),
        ("extensions.conf", b"\xff\xfe", "is no UTF-8 text"),
        (
            "extensions.conf",
            "#include /etc/passwd\n",
            "asterisk/extensions.conf:1: #include reads",
        ),
        ("extensions.conf", "#exec /bin/sh\n", "#exec reads what nobody has checked"),
        ("indications.conf", "[x]\n#tryinclude more.conf\n", "indications.conf:2: #tryinclude reads"),
        ("queues.conf", "[x]\npassword = abc\n", "queues.conf:2: holds a password in the clear"),
        ("extensions.conf", "[internal](+)\n", "[internal](+) is no context of the site's own"),
        (
            "extensions.conf",
            "[from-twilio]\n",
            "[from-twilio] is no context of the site's own. Name it",
        ),
        ("extensions.conf", "[site-x]\n[internal](+) x\n", ":2: [internal](+) x is no section's name alone"),
        ("extensions.conf", "[site-x]\n;-- --;[internal](+)\n", "has a block comment, which could hide"),
        ("extensions.conf", f"{CONTEXT}Set(TRANSFER_CONTEXT=outbound-trunks)\n", "names outbound-trunks"),
        ("extensions.conf", "[site-x](+)\n", "[site-x](+) is no context of the site's own"),
        ("extensions.conf", "[site-x]\ninclude => outbound-trunks\n", "includes outbound-trunks"),
        ("extensions.conf", "[site-x]\nswitch => Realtime/x\n", "switch is not known here"),
        ("extensions.conf", f"{CONTEXT}System(id)\n", "extensions.conf:2: uses System, which leaves"),
        ("extensions.conf", f"{CONTEXT}Set(X=${{SHELL(id)}})\n", "uses SHELL, which leaves the dialplan"),
        ("extensions.conf", f"{CONTEXT}ExecIf(1?System(id))\n", "uses ExecIf"),
        ("extensions.conf", f"{CONTEXT}agi(x)\n", "uses agi"),
        ("extensions.conf", f"{CONTEXT}MixMonitor(a.wav,,id)\n", "uses MixMonitor"),
        (
            "extensions.conf",
            f"{CONTEXT}Dial(PJSIP/twilio-na-us/sip:+1@x)\n",
            "calls PJSIP/twilio-na-us/sip",
        ),
        ("extensions.conf", f"{CONTEXT}Dial(PJSIP/${{EXTEN}})\n", "calls PJSIP/${EXTEN}, which no policy"),
        (
            "extensions.conf",
            f"{CONTEXT}Dial(PJSIP/100&Local/1@outbound-trunks)\n",
            "calls Local/1@outbound",
        ),
        (
            "extensions.conf",
            f"{CONTEXT}Dial(PJSIP/100,9,G(a^b^1))\n",
            "gives Dial an option that goes",
        ),
        (
            "extensions.conf",
            f"{CONTEXT}Goto(outbound-trunks,+1900,1)\n",
            "goes to outbound-trunks, which",
        ),
        ("extensions.conf", f"{CONTEXT}GotoIf(1?a:from-twilio,s,1)\n", "goes to from-twilio, which is not"),
        ("extensions.conf", f"{CONTEXT}Goto(${{X}},s,1)\n", "goes to ${...}, which is not open to it"),
        ("extensions.conf", f"{CONTEXT}Gosub(emergency-trunks,s,1(x))\n", "goes to emergency-trunks"),
        (
            "modules.conf",
            "[modules](+)\nload = app_mixmonitor.so\n",
            "app_mixmonitor.so is not among",
        ),
        ("modules.conf", "[modules](+)\nnoload = res_pjsip.so\n", "noload = res_pjsip.so is not known here"),
        ("pjsip_wizard.conf", "[200](+)\nendpoint/x = y\n", "[200](+) is no further part of an extension"),
        ("pjsip_wizard.conf", "[100]\ntype = wizard\n", "[100] is no further part of an extension"),
        (
            "pjsip_wizard.conf",
            "[100](+)\nendpoint/context = outbound\n",
            "is looked after by context in",
        ),
        ("pjsip_wizard.conf", "[100](+)\nendpoint/set_var = A=b\n", "endpoint/set_var is looked after by"),
        ("pjsip_wizard.conf", "[100](+)\ntransport = x\n", "transport is no option of a phone"),
        ("queues.conf", "[q]\nmember => PJSIP/twilio-na-us\n", "PJSIP/twilio-na-us is no extension"),
        ("queues.conf", "[q]\ncontext = outbound\n", "context would choose what a caller may dial"),
        ("musiconhold.conf", "[m]\nmode = custom\napplication = /bin/x\n", "application runs a program"),
        ("confbridge.conf", "[c]\nrecord_conference = yes\n", "record_conference records calls"),
    ],
)
def test_what_would_break_the_house_is_refused(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    found = write(tmp_path, {name: text})
    assert any(said in fault for fault in found), found


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        {
            "extensions.conf": f"{CONTEXT}System(id)\n[internal](+)\n",
            "manager.conf": "",
            "queues.conf": "#x\n",
        },
    )
    assert len(found) >= 4
