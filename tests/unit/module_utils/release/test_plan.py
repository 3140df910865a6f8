"""Which change of the configuration asks for which reload or restart."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import conf
from ansible_collections.callcenter.pbx.plugins.module_utils.release.plan import (
    Activation,
    PjsipObject,
    changed_files,
    changed_objects,
    plan_activation,
)

PJSIP = """\
[global]
type = global
[transport-udp]
type = transport
bind = 0.0.0.0:5060
external_media_address = 203.0.113.10
[twilio]
type = endpoint
context = from-twilio
#include pjsip_auth.conf
"""
BASE = {
    "asterisk.conf": "[options]\nmaxcalls = 25\n",
    "modules.conf": "[modules]\nload = res_pjsip.so\n",
    "pjsip.conf": PJSIP,
    "pjsip_auth.conf": "[100-iauth]\ntype = auth\npassword = one\n",
    "pjsip_wizard.conf": "[phone](!)\ntype = wizard\ntransport = transport-udp\n[100](phone)\nx = 1\n",
    "extensions.conf": "[internal]\nexten => 100,1,Dial(PJSIP/100)\n#include extensions_local.conf\n",
    "extensions_local.conf": "; empty\n",
    "logger.conf": "[general]\n",
}
RELOAD_PJSIP = "module reload res_pjsip.so"

CASES = {
    "nothing": ({}, Activation()),
    "dialplan": ({"extensions.conf": "[internal]\n"}, Activation(("dialplan reload",))),
    "a file the dialplan includes": ({"extensions_local.conf": "[x]\n"}, Activation(("dialplan reload",))),
    "a password": ({"pjsip_auth.conf": "[100-iauth]\ntype = auth\n"}, Activation((RELOAD_PJSIP,))),
    "a phone": ({"pjsip_wizard.conf": "[101]\ntype = wizard\n"}, Activation((RELOAD_PJSIP,))),
    "phone and dialplan, in the order in which one refers to the other": (
        {"extensions.conf": "[x]\n", "pjsip_wizard.conf": "[101]\ntype = wizard\n"},
        Activation((RELOAD_PJSIP, "dialplan reload")),
    ),
    "logger": ({"logger.conf": "[general]\ndateformat = %F\n"}, Activation(("logger reload",))),
    "a file nobody knows": ({"custom.conf": "[x]\n"}, Activation(("module reload",))),
    "a file nobody knows, and more: one reload at a time": (
        {"custom.conf": "[x]\n", "pjsip_wizard.conf": "[101]\ntype = wizard\n", "extensions.conf": "[x]\n"},
        Activation(("module reload",)),
    ),
    "a module": (
        {"modules.conf": "[modules]\nload = res_pjsip.so\nload = app_dial.so\n"},
        Activation((), ("modules.conf is read only at start",)),
    ),
    "a comment in what only a restart reads": (
        {"modules.conf": "; new\n" + BASE["modules.conf"]},
        Activation(),
    ),
    "an address of a transport": (
        {"pjsip.conf": PJSIP.replace("203.0.113.10", "203.0.113.11")},
        Activation((RELOAD_PJSIP,), ("transport 'transport-udp' has another external_media_address",)),
    ),
    "a transport more": (
        {"pjsip.conf": PJSIP + "[transport-tcp]\ntype = transport\n"},
        Activation((RELOAD_PJSIP,), ("transport 'transport-tcp' is new",)),
    ),
    "a transport less": (
        {"pjsip.conf": PJSIP.replace("type = transport", "type = other")},
        Activation((RELOAD_PJSIP,), ("transport 'transport-udp' was removed",)),
    ),
    "a comment in a transport": (
        {"pjsip.conf": PJSIP.replace("bind =", "; the port\nbind =")},
        Activation((RELOAD_PJSIP,)),
    ),
}


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES)
def test_a_change_asks_for(change: dict[str, str], expected: Activation) -> None:
    assert plan_activation([BASE], {**BASE, **change}) == expected


@pytest.mark.parametrize("goes", [False, True], ids=["comes", "goes"])
def test_a_file_is_reloaded_with_what_includes_it(goes: bool) -> None:
    """It has an includer in one of the two trees alone."""
    included = {
        "pjsip_wizard.conf": BASE["pjsip_wizard.conf"] + "#include mine.conf\n",
        "mine.conf": "[100](+)\n",
    }
    trees = (BASE, {**BASE, **included})
    old, target = reversed(trees) if goes else trees
    assert plan_activation([old], target) == Activation((RELOAD_PJSIP,))


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES)
def test_nothing_is_left_after_a_change(change: dict[str, str], expected: Activation) -> None:
    assert not plan_activation([{**BASE, **change}], {**BASE, **change})


def test_a_removed_file_counts_as_changed() -> None:
    less = {name: text for name, text in BASE.items() if name != "logger.conf"}
    assert changed_files(BASE, less) == ["logger.conf"]
    assert plan_activation([BASE], less).commands == ("logger reload",)


def test_every_tree_that_may_be_loaded_is_covered() -> None:
    other = {**BASE, "extensions.conf": "[other]\n"}
    target = {**BASE, "pjsip_wizard.conf": "[102]\ntype = wizard\n"}
    assert plan_activation([BASE, other], target).commands == (RELOAD_PJSIP, "dialplan reload")


def test_an_unknown_past_needs_a_restart() -> None:
    assert plan_activation([{}], BASE).restart_reasons == (
        "asterisk.conf is read only at start",
        "modules.conf is read only at start",
        "transport 'transport-udp' is new",
    )


def test_changed_objects_are_named() -> None:
    target = {
        **BASE,
        "pjsip.conf": PJSIP.replace("from-twilio", "from-pstn"),
        "pjsip_auth.conf": "[100-iauth]\ntype = auth\npassword = two\n",
    }
    assert changed_objects([BASE], target) == {
        PjsipObject("endpoint", "twilio"),
        PjsipObject("auth", "100-iauth"),
    }


def test_a_changed_template_changes_its_phones() -> None:
    target = {
        **BASE,
        "pjsip_wizard.conf": BASE["pjsip_wizard.conf"].replace("transport-udp", "transport-tcp"),
    }
    assert {item for item in changed_objects([BASE], target) if item.kind in {"endpoint", "aor"}} == {
        PjsipObject("endpoint", "100"),
        PjsipObject("aor", "100"),
    }


SYNTAX = """\
[base](!)
allow = ulaw ; a comment
;-- a block
[hidden]
--;
key = a\\;b
[one](base)
exten => 1,1,NoOp()
[base](+)
more = yes
"""


def test_sections_inherit_and_comments_do_not_count() -> None:
    found = {section.name: section for section in conf.sections({"x.conf": SYNTAX}, "x.conf")}
    assert set(found) == {"base", "one"}
    assert found["one"].settings() == (("allow", "ulaw"), ("key", "a\\;b"), ("exten", "1,1,NoOp()"))
    assert found["base"].settings() == (("allow", "ulaw"), ("key", "a\\;b"), ("more", "yes"))
    assert (found["one"].items[-1].file, found["one"].items[-1].line) == ("x.conf", 8)


def test_circular_includes_end() -> None:
    files = {
        "a.conf": '#include "b.conf"\n[a]\n',
        "b.conf": "#tryinclude <a.conf>\n[b]\n#include none.conf\n",
    }
    assert [section.name for section in conf.sections(files, "a.conf")] == ["b", "a"]
    assert conf.roots(files, "none.conf") == {"none.conf"}
    assert conf.roots({**files, "c.conf": "#include a.conf\n"}, "b.conf") == {"c.conf"}


RECORD = ("pjsip set logger pcap /x", "pjsip set logger method REGISTER")
ONE = {
    **BASE,
    "pjsip_auth.conf": "[100-iauth]\ntype = auth\npassword = two\n",
    "pjsip_wizard.conf": "[100]\ntype = wizard\nendpoint/auth = 100-iauth\n",
}
BOTH = {
    **ONE,
    "pjsip_auth.conf": ONE["pjsip_auth.conf"] + "[100-previous]\ntype = auth\npassword = one\n",
    "pjsip_wizard.conf": "[100]\ntype = wizard\nendpoint/auth = 100-iauth,100-previous\n",
    "cli.conf": "[startup_commands]\n" + "".join(f"{command} = yes\n" for command in RECORD),
}
STARTUP = {
    "an overlap begins": (ONE, BOTH, (RELOAD_PJSIP, *RECORD)),
    "an overlap is finished": (BOTH, ONE, (RELOAD_PJSIP, "pjsip set logger off")),
    "an overlap goes on": (BOTH, {**BOTH, "extensions.conf": "[x]\n"}, ("dialplan reload",)),
    "a comment": (BOTH, {**BOTH, "cli.conf": "; why\n" + BOTH["cli.conf"]}, ()),
    "another file": (
        BOTH,
        {**BOTH, "cli.conf": BOTH["cli.conf"].replace("/x", "/y")},
        ("pjsip set logger off", "pjsip set logger pcap /y", RECORD[1]),
    ),
    "a command that is off": (ONE, {**ONE, "cli.conf": "[startup_commands]\ncore set verbose 3 = no\n"}, ()),
}


@pytest.mark.parametrize(("before", "after", "commands"), STARTUP.values(), ids=STARTUP)
def test_startup_commands_take_effect_without_a_start(
    before: dict[str, str], after: dict[str, str], commands: tuple[str, ...]
) -> None:
    assert plan_activation([before], after) == Activation(commands)


def test_an_interrupted_beginning_of_an_overlap_covers_both_trees() -> None:
    assert plan_activation([BOTH, ONE], BOTH).commands == (RELOAD_PJSIP, *RECORD)
    assert plan_activation([ONE, BOTH], ONE).commands == (RELOAD_PJSIP, "pjsip set logger off")


@pytest.mark.parametrize(
    ("before", "after", "auths"),
    [(ONE, BOTH, {"100-iauth", "100-previous"}), (BOTH, ONE, {"100-iauth"})],
    ids=["begins", "is finished"],
)
def test_both_ends_of_an_overlap_compare_the_endpoint(
    before: dict[str, str], after: dict[str, str], auths: set[str]
) -> None:
    changed = changed_objects([before], after)
    assert PjsipObject("endpoint", "100") in changed
    assert {one.name for one in changed if one.kind == "auth" and one.name in auths} == auths
