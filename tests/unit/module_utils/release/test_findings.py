"""What is reported of a configuration Asterisk was started on; log lines as Asterisk 22.10.1 writes them."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.release import findings
from ansible_collections.callcenter.pbx.plugins.module_utils.release.findings import Present

FILES = {
    "pjsip.conf": "[twilio]\ntype = endpoint\ncolour = blue\nauth = none\naors = twilio\n",
    "extensions.conf": "[internal]\nsame n,NoOp()\n[broken\n",
    "pjsip_wizard.conf": (
        "[p](!)\ntype = wizard\nendpoint/context = nowhere\n[100](p)\nendpoint/auth = 100-iauth,old\n"
    ),
}

LOGS = {
    "a clean start": (
        "[2026-01-01 00:00:00] Asterisk 22.10.1 built by nobody\n[t] NOTICE[1] cdr.c: simple\n",
        [],
    ),
    "a line of the file is quoted": (
        "[t] WARNING[1] config.c: No '=' in line 2 of /etc/asterisk/extensions.conf\n",
        ["No '=' in line 2 of /etc/asterisk/extensions.conf (extensions.conf:2: same n,NoOp())"],
    ),
    "a file named by the next message": (
        "[t] ERROR[1] config_options.c: Could not find option 'colour' at line 3 of \n"
        "[t] ERROR[1] res_sorcery_config.c: Could not create 'twilio' from configuration file 'pjsip.conf'\n",
        [
            "Could not find option 'colour' at line 3 of (pjsip.conf:3: colour = blue)",
            "Could not create 'twilio' from configuration file 'pjsip.conf'",
        ],
    ),
    "the same message is reported once": ("[t] ERROR[1] a.c: gone\n[u] ERROR[1] a.c: gone\n", ["gone"]),
    "console format with colours": (
        "[t] \x1b[1;31mERROR\x1b[0m[1]: \x1b[1;37mloader.c\x1b[0m:\x1b[1;37m2687\x1b[0m "
        "\x1b[1;37mload_modules\x1b[0m: chan_pjsip declined to load.\n",
        ["chan_pjsip declined to load."],
    ),
    "Asterisk ends": (
        "*** Failed to load module x.so - Required\n",
        ["Failed to load module x.so - Required"],
    ),
    "a sub-directory in the source": (
        "[t] ERROR[1] res_pjsip/config_transport.c: Transport 'b' could not be started\n",
        ["Transport 'b' could not be started"],
    ),
    "no network is no fault": (
        "[t] ERROR[47] res_pjsip.c: Error 120101 'Network is unreachable' sending OPTIONS request\n",
        [],
    ),
    "load is no fault": (
        "[t] WARNING[9] taskprocessor.c: Taskprocessor 'x' queue reached 500 scheduled tasks\n",
        [],
    ),
    "what only follows is left out": (
        "[t] WARNING[1] loader.c: Some non-required modules failed to load.\n",
        [],
    ),
}


@pytest.mark.parametrize(("log", "expected"), LOGS.values(), ids=LOGS)
def test_a_log_is_read(log: str, expected: list[str]) -> None:
    assert findings.log_faults(log, FILES) == expected


PRESENT = Present(
    {
        "endpoint": frozenset({"twilio", "100"}),
        "auth": frozenset({"100-iauth"}),
        "aor": frozenset({"twilio", "100"}),
        "transport": frozenset({"transport-udp"}),
        "context": frozenset({"from-twilio", "internal"}),
    },
    frozenset({"dial", "noop", "set", "gotoif"}),
    frozenset({"CALLERID", "FILTER"}),
)


def test_references_that_lead_nowhere_are_found_where_they_stand() -> None:
    assert findings.reference_faults(FILES, PRESENT) == [
        "pjsip.conf:4: endpoint 'twilio' names auth 'none', which does not exist "
        "(Asterisk: Unable to find object none.)",
        "pjsip_wizard.conf:5: endpoint '100' names auth 'old', which does not exist "
        "(Asterisk: Unable to find object old.)",
        "pjsip_wizard.conf:3: endpoint '100' names context 'nowhere', which does not exist "
        "(Asterisk: There is no existence of 'nowhere' context)",
    ]


STEPS = {
    "loaded": (["  '1' => 1. Dial(PJSIP/100,20)   [extensions.conf:8]"], []),
    "case does not matter": (["     2. GoToIf($[1]?x)   [extensions.conf:8]"], []),
    "a labelled step": (
        ["     [out] 3. NoSuchApp()   [extensions.conf:9]"],
        ["extensions.conf:9: no application 'NoSuchApp' is loaded; see modules.conf"],
    ),
    "a function that is read": (
        ["  '1' => 1. NoOp(${CALLERID(num)} ${NOFUNC(1)})   [extensions.conf:3]"],
        ["extensions.conf:3: no function 'NOFUNC' is loaded; see modules.conf"],
    ),
    "a function that is set": (
        ["  '1' => 1. Set(GROUP(out)=x)   [extensions.conf:3]"],
        ["extensions.conf:3: no function 'GROUP' is loaded; see modules.conf"],
    ),
    "an include is no step": (["  Include =>        'extensions'    [pbx_config]"], []),
}


@pytest.mark.parametrize(("lines", "expected"), STEPS.values(), ids=STEPS)
def test_a_dialplan_step_needs_what_it_calls(lines: list[str], expected: list[str]) -> None:
    assert findings.dialplan_faults({"internal": lines}, PRESENT) == expected


def test_missing_objects_are_named() -> None:
    required = [{"type": "endpoint", "name": "100"}, {"type": "endpoint", "name": "101"}]
    assert findings.missing_objects(required, PRESENT) == [
        "endpoint '101' is missing (Asterisk: Unable to find object 101.)"
    ]


def test_what_is_loaded_is_read_from_its_lists() -> None:
    applications = "    -= Registered Asterisk Applications =-\n                Answer: Answer a channel.\n"
    assert findings.parse_applications(applications) == {"answer"}
    functions = "Installed Custom Functions:\n-----\nCALLERID              CALLERID(datatype[,CID])   Gets\n"
    assert findings.parse_functions(functions) == {"CALLERID"}
