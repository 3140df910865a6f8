"""The proof of passwords: what is wished for, what is said, and the whole of it through Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.proof import (
    Unproven,
    Wish,
    failure,
    judge,
    names,
    read_wishes,
    success,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.register import Answer, Credential, Outcome

from tests.unit.registrar import Registrar, running

ROOT = Path(__file__).parents[4]
OK = Answer(Outcome.ACCEPTED, "200 OK")
NO = Answer(Outcome.REFUSED, "401 Unauthorized")


def test_wishes_are_read_in_order() -> None:
    assert read_wishes({100: ["a", "b"], "101": []}, {"100": ["c"]}) == [
        Wish(Credential("100", "a"), Outcome.ACCEPTED),
        Wish(Credential("100", "b"), Outcome.ACCEPTED),
        Wish(Credential("100", "c"), Outcome.REFUSED),
    ]


MALFORMED = {
    "no mapping": (["pw-never-shown"], {}, "accepted is a mapping of extension numbers"),
    "a password instead of a list": ({"100": "pw-never-shown"}, {}, "accepted[100] is a list"),
    "a number as password": ({}, {"100": [12345678]}, "refused[100]: a password is a string"),
    "an empty password": ({}, {"100": [""]}, "refused[100]: a password is a string"),
    "a contradiction": (
        {"100": ["pw-never-shown"]},
        {100: ["pw-never-shown"]},
        "extension 100: accepted and",
    ),
}


@pytest.mark.parametrize(("accepted", "refused", "expected"), MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_wished_for_is_named(accepted: Any, refused: Any, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_wishes(accepted, refused)
    assert expected in str(caught.value)
    assert "never-shown" not in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_only_the_answer_wished_for_is_a_proof() -> None:
    wishes = read_wishes({"1": ["a"], "2": ["a"], "3": ["a"]}, {"4": ["a"], "5": ["a"], "6": ["a"]})
    odd = Answer(Outcome.OTHER, "503 Overload")
    assert judge(wishes, [OK, NO, odd, NO, OK, odd]) == [
        Unproven("2", Outcome.ACCEPTED, NO),
        Unproven("3", Outcome.ACCEPTED, odd),
        Unproven("5", Outcome.REFUSED, OK),
        Unproven("6", Outcome.REFUSED, odd),
    ]


def test_a_proof_is_one_sentence() -> None:
    wishes = read_wishes({"100": ["a", "b"], "101": ["c"]}, {"100": ["d"]})
    assert success(wishes, "192.0.2.1:5060", 0.26) == (
        "192.0.2.1:5060 accepts 3 passwords and refuses 1, as it must: 2 extensions, 0.3 s."
    )
    assert success([], "192.0.2.1:5060", 0) == "Nothing to prove: no password was given."


def test_a_failure_names_extensions_by_what_came() -> None:
    silent = Answer(Outcome.SILENT, "no answer within 5 s")
    unproven = [
        Unproven("100", Outcome.ACCEPTED, NO),
        Unproven("101", Outcome.ACCEPTED, NO),
        Unproven("100", Outcome.REFUSED, OK),
        Unproven("102", Outcome.REFUSED, silent),
        Unproven("103", Outcome.REFUSED, Answer(Outcome.UNCHALLENGED, "200 OK")),
        Unproven("104", Outcome.ACCEPTED, Answer(Outcome.OTHER, "404 Not Found")),
    ]
    assert failure(unproven, 9, "192.0.2.1:5060").splitlines() == [
        "192.0.2.1:5060 did not answer as it must to 6 of 9 passwords:",
        "- 100, 101: refused a password that must be accepted (401 Unauthorized). "
        "Is the new configuration loaded?",
        "- 100: accepted a password that must be refused (200 OK). Is the new configuration loaded?",
        "- 102: no answer within 5 s, while others were answered. Is the PBX overloaded?",
        "- 103: accepted without any password (200 OK). Has the extension lost its auth objects?",
        "- 104: neither accepted nor refused, but 404 Not Found.",
    ]


def test_many_names_are_cut() -> None:
    assert names(["1", "2", "1"]) == "1, 2"
    assert names(map(str, range(22))).endswith("18, 19 and 2 more")


def play(directory: Path, port: int, wishes: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """Run the action through Ansible without a host; return its code and all it showed."""
    task = {"callcenter.pbx.password_proof": {"address": "127.0.0.1", "sip_port": port, **wishes}}
    playbook = directory / "play.yml"
    variables = directory / "variables.json"
    variables.write_text(json.dumps({"new": "new-never-shown", "old": "old-never-shown"}), encoding="utf-8")
    playbook.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]), encoding="utf-8"
    )
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--inventory=localhost,",
            f"--extra-vars=@{variables}",
            "-vvv",
            *arguments,
            str(playbook),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    output = done.stdout + done.stderr
    assert "never-shown" not in output
    return done.returncode, " ".join(output.split())


WISHES = {"accepted": {"100": ["{{ new }}"]}, "refused": {"100": ["{{ old }}"]}}


def test_ansible_reports_a_proof(tmp_path: Path) -> None:
    with running(Registrar({"100": ["new-never-shown"]})) as registrar:
        code, output = play(tmp_path, registrar.port, WISHES)
    assert code == 0, output
    assert f"127.0.0.1:{registrar.port} accepts 1 password and refuses 1, as it must: 1 extension," in output
    assert "changed=0" in output


def test_ansible_fails_with_the_extension(tmp_path: Path) -> None:
    with running(Registrar({"100": ["old-never-shown"]})) as registrar:
        code, output = play(tmp_path, registrar.port, WISHES)
    assert code == 2
    assert "- 100: refused a password that must be accepted (401 Unauthorized)" in output
    assert "- 100: accepted a password that must be refused (200 OK)" in output


def test_check_mode_asks_nothing(tmp_path: Path) -> None:
    code, output = play(tmp_path, 9, WISHES, "--check")
    assert code == 0, output
    assert "Not asked: in check mode" in output


def test_ansible_names_a_dead_server(tmp_path: Path) -> None:
    code, output = play(tmp_path, 9, {**WISHES, "answer_seconds": 0.2})
    assert code == 2
    assert "REGISTER sip:127.0.0.1:9 over UDP: connection refused" in output


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        pytest.param(
            {"accepted": {"100": "{{ new }}"}}, "accepted[100] is a list of passwords", id="no list"
        ),
        pytest.param({"accepted": "{{ new }}"}, "accepted is a mapping", id="no mapping"),
        pytest.param({**WISHES, "answer_seconds": 0}, "answer_seconds more than 0", id="no time"),
    ],
)
def test_a_malformed_task_shows_no_password(tmp_path: Path, wishes: dict[str, Any], expected: str) -> None:
    code, output = play(tmp_path, 9, wishes)
    assert code == 2
    assert expected in output
