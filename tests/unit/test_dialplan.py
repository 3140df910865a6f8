"""Promises of the dialplan, held against the rendered file of each site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.dialplan import (
    Context,
    best_match,
    find_steps,
    parse_dialplan,
    resolve_dial,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.expected import dial_checks
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.reserved import RESERVED_CONTEXTS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model

from tests.golden.render import ROOT, SITES, golden

OUTSIDE = {
    *("internal", "from-internal", "outbound", "outbound-call", "outbound-trunks"),
    *("emergency", "emergency-call", "emergency-trunks", "carrier-ended"),
}

MODULE_OF = {
    "DB": "func_db",
    "LOCK": "func_lock",
    "STRFTIME": "func_strings",
    "UNLOCK": "func_lock",
    "Dial": "app_dial",
    "Gosub": "app_stack",
    "HangupCauseClear": "func_hangupcause",
    "Log": "app_verbose",
    "PJSIPHangup": "chan_pjsip",
    "Originate": "app_originate",
    "Playback": "app_playback",
    "PJSIP_AOR": "func_pjsip_aor",
    "PJSIP_CONTACT": "func_pjsip_contact",
    "REGEX": "func_strings",
    "Return": "app_stack",
    "SHIFT": "func_strings",
    "STRREPLACE": "func_strings",
    "SoftHangup": "app_softhangup",
    "CALLERID": "func_callerid",
    "CHANNEL": "func_channel",
    "CUT": "func_cut",
    "FIELDQTY": "func_strings",
    "FILTER": "func_strings",
    "ExecIf": "app_exec",
    "GROUP": "func_groupcount",
    "GROUP_COUNT": "func_groupcount",
    "HANGUPCAUSE": "func_hangupcause",
    "HANGUPCAUSE_KEYS": "func_hangupcause",
    "IF": "func_logic",
    "LEN": "func_strings",
}
BUILT_IN = {"Answer", "Goto", "GotoIf", "Hangup", "NoOp", "Progress", "Set"}


def dialplan_of(site: str) -> dict[str, Context]:
    return parse_dialplan(golden(site)["extensions.conf"])


def model_of(site: str) -> dict[str, Any]:
    text = (ROOT / "inventory" / site / "group_vars/pbx/model.yml").read_text(encoding="utf-8")
    variables: dict[str, Any] = yaml.safe_load(text)
    return variables


def steps(dialplan: dict[str, Context]) -> Iterator[tuple[str, str, str]]:
    """Yield (context, extension, application with its arguments)."""
    for name, context in dialplan.items():
        for exten, applications in context.extensions.items():
            for application in applications:
                yield name, exten, application


def targets(exten: str, application: str) -> set[tuple[str, str]]:
    """Return (context, extension) of every place an application may continue at."""
    found = set(re.findall(r"(?:Goto|Gosub)\(([a-z-]+),([^,]+),1\)", application))
    found |= set(re.findall(r"[?:]([a-z-]+),([^,?]+),1\)", application))
    found |= set(re.findall(r"b\(([a-z-]+)\^([^^]+)\^1", application))
    found |= {(context, name) for name, context in re.findall(r"Local/([^@]+)@([a-z-]+)", application)}
    return found


def reachable(dialplan: dict[str, Context], start: str) -> set[str]:
    seen: set[str] = set()
    queue = [start]
    while queue:
        name = queue.pop()
        if name in seen or name not in dialplan:
            continue
        seen.add(name)
        queue += dialplan[name].includes
        for exten, applications in dialplan[name].extensions.items():
            queue += [
                context for application in applications for context, _exten in targets(exten, application)
            ]
    return seen


@pytest.mark.parametrize("site", SITES)
def test_nothing_a_carrier_can_reach_dials_outside(site: str) -> None:
    dialplan = dialplan_of(site)
    for start in ("from-twilio", "from-pstn", "transfer-from-trunk"):
        found = reachable(dialplan, start)
        assert len(found) > 1
        assert not found & OUTSIDE, f"{start} reaches {found & OUTSIDE}"


def test_the_search_for_reachable_contexts_follows_each_kind_of_step() -> None:
    """The test above is worth what this finds: each way on, one at a time."""
    for step in (
        "Goto(outbound,1,1)",
        "GotoIf($[1]?outbound,x,1)",
        "Gosub(outbound,s,1)",
        "Dial(PJSIP/1,2,b(outbound^s^1(3)))",
        "Originate(Local/s@outbound/n,app,Wait)",
    ):
        dialplan = parse_dialplan(f"[from-twilio]\nexten => 1,1,{step}\n[outbound]\n")
        assert "outbound" in reachable(dialplan, "from-twilio"), step
    assert "outbound" in reachable(
        parse_dialplan("[from-twilio]\ninclude => outbound\n[outbound]\n"), "from-twilio"
    )


@pytest.mark.parametrize("site", SITES)
def test_every_documented_way_to_dial_reaches_its_target(site: str) -> None:
    dialplan = dialplan_of(site)
    model, faults = read_model(model_of(site))
    assert faults == []
    checks = dial_checks(model)
    assert len(checks) > 20
    for check in checks:
        target = resolve_dial(
            lambda context, number: find_steps(dialplan, context, number), check["context"], check["dialled"]
        )
        assert target == check["target"], check


OUTBOUND = "PJSIP/twilio-na-us/sip:+15551234567@nlpbay.pstn.ashburn.twilio.com"
DESCRIBED = [
    ("internal", "915551234567", OUTBOUND),
    ("internal", "95551234567", OUTBOUND),
    ("internal", "9115551234567", OUTBOUND),
    ("internal", "9+15551234567", OUTBOUND),
    ("from-internal", "+15551234567", OUTBOUND),
    ("from-internal", "0015551234567", OUTBOUND),
    ("internal", "911", "PJSIP/twilio-na-us/sip:911@nlpbay.pstn.ashburn.twilio.com"),
    ("internal", "9911", "PJSIP/twilio-na-us/sip:911@nlpbay.pstn.ashburn.twilio.com"),
    ("from-internal", "933", "PJSIP/twilio-na-us/sip:933@nlpbay.pstn.ashburn.twilio.com"),
    ("internal", "101", "PJSIP/101"),
    ("from-twilio", "+19863334949", "PJSIP/100"),
    ("from-twilio", "+12125550100", "PJSIP/100"),
    ("from-twilio", "9863334949", "PJSIP/100"),
    ("from-pstn", "+19863334949", "PJSIP/100&PJSIP/101"),
    ("from-twilio", "915551234567", None),
    ("from-twilio", "911", None),
    ("from-twilio", "101", None),
    ("from-pstn", "+12125550100", None),
    *(("from-twilio", number, "PJSIP/100") for number in ("19863334949", "0019863334949", "01119863334949")),
    *(
        ("from-pstn", number, "PJSIP/100&PJSIP/101")
        for number in ("19863334949", "9863334949", "0019863334949")
    ),
    ("internal", "+15551234567", OUTBOUND),
    ("internal", "901115551234567", OUTBOUND),
    ("internal", "9(555) 123-4567", OUTBOUND),
    ("internal", "9 555.123.4567", OUTBOUND),
    ("internal", "9 1 1", "PJSIP/twilio-na-us/sip:911@nlpbay.pstn.ashburn.twilio.com"),
    ("from-internal", "01115551234567", OUTBOUND),
    ("from-internal", "+1 (555) 123-4567", OUTBOUND),
    ("internal", "11", "refused"),
    ("internal", "91555&PJSIP", "refused"),
    ("internal", "91555123456/", "refused"),
    ("internal", "sales", None),
]


@pytest.mark.parametrize(
    ("context", "dialled", "target"),
    DESCRIBED,
    ids=[f"{context}-{dialled}" for context, dialled, _ in DESCRIBED],
)
def test_the_documented_site_dials_as_described(context: str, dialled: str, target: str | None) -> None:
    dialplan = dialplan_of("production")
    assert resolve_dial(lambda name, number: find_steps(dialplan, name, number), context, dialled) == target


@pytest.mark.parametrize("site", SITES)
def test_every_jump_lands(site: str) -> None:
    dialplan = dialplan_of(site)
    for context, exten, application in steps(dialplan):
        for name, number in targets(exten, application):
            assert name in dialplan, f"{context},{exten}: {application}"
            if "$" not in number:
                assert find_steps(dialplan, name, number), f"{context},{exten}: {application}"


@pytest.mark.parametrize("site", SITES)
def test_a_dialled_number_meets_dial_only_after_it_was_checked(site: str) -> None:
    for context, exten, application in steps(dialplan_of(site)):
        if application.startswith("Dial(") and "${EXTEN" in application:
            assert context in ("outbound-trunks", "emergency-trunks"), f"{context},{exten}: {application}"


WRITTEN_LIKE_A_NUMBER = (
    'GotoIf($[${REGEX("^[+0-9(). -]*[0-9][+0-9(). -]*$" ${EXTEN})} = 0]?refused,invalid-number,1)'
)
E164 = 'GotoIf($[${REGEX("^[+][1-9][0-9]{6,14}$" ${EXTEN})} = 0]?refused,invalid-number,1)'


@pytest.mark.parametrize("site", SITES)
def test_what_a_wildcard_takes_is_checked_before_it_goes_anywhere(site: str) -> None:
    """A comma in the number would otherwise choose the priority that Goto continues at."""
    dialplan = dialplan_of(site)
    for name in ("internal", "from-internal", "as-written", "extensions", "emergency"):
        for exten, applications in dialplan[name].extensions.items():
            if exten.endswith((".", "!")):
                assert applications[0] == WRITTEN_LIKE_A_NUMBER, (name, exten)
    after_the_check = {"internal-number", "from-internal-number"}
    for name, context in dialplan.items():
        ways = {place for exten in context.extensions for step in context.extensions[exten]
                for place, _exten in targets(exten, step)}  # fmt: skip
        if name not in ("as-written", *after_the_check):
            assert not (ways | set(context.includes)) & {*after_the_check, "outbound"}, name


@pytest.mark.parametrize("site", SITES)
def test_only_a_plus_and_digits_meet_a_trunk(site: str) -> None:
    dialplan = dialplan_of(site)
    (steps_of_a_call,) = dialplan["outbound-call"].extensions.values()
    checked = steps_of_a_call.index(E164)
    assert checked < min(index for index, step in enumerate(steps_of_a_call) if "EXTEN},1)" in step)
    for context, exten, application in steps(dialplan):
        for place, _number in targets(exten, application):
            assert place != "outbound-trunks" or context == "outbound-call"


@pytest.mark.parametrize("site", SITES)
def test_exec_if_runs_nothing_that_a_stranger_wrote(site: str) -> None:
    """Its arguments are split after variables are put in: `)` and `:` would begin another application."""
    steps = [line for line in golden(site)["extensions.conf"].splitlines() if "ExecIf(" in line]
    for step in steps:
        run = step.rpartition("]?")[2]
        assert not set(re.findall(r"[$][{](.*?)[}]", run)) - {"CAUSE", "CHANNEL"}, step


@pytest.mark.parametrize("site", SITES)
def test_every_application_and_function_has_its_module_loaded(site: str) -> None:
    loaded = set(re.findall(r"^load = (\w+)\.so", golden(site)["modules.conf"], re.M))
    used = set()
    for _context, _exten, application in steps(dialplan_of(site)):
        used.add(application.partition("(")[0])
        used |= set(re.findall(r"\$\{([A-Z_]+)\(", application))
    for name in used - BUILT_IN:
        assert MODULE_OF[name] in loaded, name


def test_the_emergency_number_is_never_shortened() -> None:
    """911 after the dial prefix 9 must not become 11."""
    dialplan = dialplan_of("production")
    for context in ("internal", "from-internal"):
        found = find_steps(dialplan, context, "911")
        assert found == ("Goto(emergency-call,911,1)",)
    patterns = list(dialplan["outbound"].extensions)
    assert best_match(patterns, "911") is None


@pytest.mark.parametrize("site", SITES)
def test_no_trunk_may_be_called_like_a_context_of_the_pbx(site: str) -> None:
    own = set(dialplan_of(site)) - set(read_model(model_of(site))[0].inbound_contexts)
    assert own <= set(RESERVED_CONTEXTS)
