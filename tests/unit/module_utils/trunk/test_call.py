"""The trial call over a trunk: with an Asterisk that is played here, and as a module through Ansible."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine, ExecResult
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.digest import authorization, choose_challenge
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import SipMessage, parse_message
from ansible_collections.callcenter.pbx.plugins.module_utils.trunk import call as trunk_call
from ansible_collections.callcenter.pbx.plugins.module_utils.trunk.call import TrunkCallError
from ansible_collections.callcenter.pbx.plugins.module_utils.trunk.callee import Callee, Expected, Verdict

ROOT = Path(__file__).parents[4]
EXPECTED = Expected("Admin", "new-never-shown")
ENDPOINT = """
 ParameterName                      : ParameterValue
 =========================================================================
 context                            : from-twilio
 outbound_auth                      : carrier-auth
 outbound_proxy                     :
"""
AUTH = """
     Auth:  carrier-auth/Admin

 ParameterName   : ParameterValue
 =================================
 auth_type       : userpass
 password        : new-never-shown
 realm           : {realm}
"""
USAGE = "Usage1: channel originate <tech/data> application <appname> [appdata]\n"


class Asterisk(DockerEngine):
    """An engine with one container, whose Asterisk calls with ``credentials`` (none: it gives up)."""

    def __init__(
        self,
        credentials: tuple[str, str] | None,
        endpoint: str = ENDPOINT,
        usage: str = USAGE,
        realm: str = "",
    ) -> None:
        super().__init__()
        self.credentials, self.realm = credentials, realm
        self.answers = {
            "pjsip show endpoint carrier": endpoint,
            "core show help channel originate": usage,
            "pjsip show auth carrier-auth": AUTH.format(realm=realm),
        }
        self.originated: list[str] = []
        self.calls: list[threading.Thread] = []
        self.calling = True
        self.last_answer = 0

    def container(self, name: str) -> dict[str, Any] | None:
        running = {"State": {"Running": True, "Restarting": False, "Pid": os.getpid()}}
        return running if name == "pbx" else None

    def exec(
        self, container: str, argv: Sequence[str], *, user: str = "", timeout: float | None = None
    ) -> ExecResult:
        return ExecResult(0, "".join("\x1e" + self.run(command) for command in argv[4:]), "")

    def run(self, command: str) -> str:
        """One console command."""
        if not command.startswith("channel originate "):
            return self.answers[command]
        self.originated.append(command)
        match = re.fullmatch(
            r"channel originate PJSIP/carrier/(sip:proof-\w+@127\.0\.0\.1:(\d+)) application Hangup", command
        )
        assert match, command
        if self.calling:
            self.calls.append(threading.Thread(target=self.call, args=(match[1], int(match[2]))))
            self.calls[-1].start()
        return ""

    def call(self, uri: str, port: int) -> None:
        """Call as Asterisk does: answer one challenge, acknowledge every refusal."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", port))
            challenged = self.invite(sock, uri, 1)
            challenge = choose_challenge(challenged.all("proxy-authenticate"))
            assert challenge is not None
            if self.credentials and self.realm in ("", "*", challenge.realm):
                username, password = self.credentials
                value = authorization(
                    challenge, username=username, password=password, method="INVITE", uri=uri, cnonce="c"
                )
                self.invite(sock, uri, 2, f"Proxy-Authorization: {value}\r\n")

    def invite(self, sock: socket.socket, uri: str, cseq: int, extra: str = "") -> SipMessage:
        """One INVITE, its answer, and the ACK."""
        rest = f"Via: v\r\nFrom: f\r\nTo: <{uri}>\r\nCall-ID: c\r\nCSeq: {cseq} "
        sock.send(f"INVITE {uri} SIP/2.0\r\n{rest}INVITE\r\n{extra}\r\n".encode())
        message = parse_message(sock.recv(65535))
        assert message is not None
        self.last_answer = message.status
        sock.send(f"ACK {uri} SIP/2.0\r\n{rest}ACK\r\n\r\n".encode())
        return message


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Threads that entered a network namespace, which here they only claim: it needs root and Python 3.12."""
    threads: list[int] = []
    monkeypatch.setattr(trunk_call, "_enter", lambda namespace: threads.append(threading.get_ident()))
    yield threads


CALLS = {
    "right": (("Admin", "new-never-shown"), Verdict.MATCHES),
    "another password": (("Admin", "old"), Verdict.OTHER_PASSWORD),
    "another user name": (("Other", "new-never-shown"), Verdict.OTHER_USERNAME),
}


@pytest.mark.parametrize(("credentials", "expected"), CALLS.values(), ids=CALLS)
def test_what_asterisk_sends_is_judged(
    entered: list[int], credentials: tuple[str, str], expected: Verdict
) -> None:
    asterisk = Asterisk(credentials)
    callee = trunk_call.prove(asterisk, "pbx", "carrier", EXPECTED, 5)
    asterisk.calls[0].join(5)
    assert (callee.verdict, callee.finished, asterisk.last_answer) == (expected, True, 403)
    assert "never-shown" not in asterisk.originated[0]


@pytest.mark.parametrize("realm", ["sip.carrier.lab", "Some Carrier", "*"])
def test_credentials_are_asked_for_in_the_realm_that_they_are_for(entered: list[int], realm: str) -> None:
    asterisk = Asterisk(("Admin", "new-never-shown"), realm=realm)
    assert trunk_call.prove(asterisk, "pbx", "carrier", EXPECTED, 5).verdict is Verdict.MATCHES


def test_a_challenge_without_an_answer_is_waited_out(entered: list[int]) -> None:
    assert trunk_call.prove(Asterisk(None), "pbx", "carrier", EXPECTED, 0.5).verdict is Verdict.NOT_ANSWERED


def test_a_call_that_never_comes_is_waited_out(entered: list[int]) -> None:
    asterisk = Asterisk(None)
    asterisk.calling = False
    assert trunk_call.prove(asterisk, "pbx", "carrier", EXPECTED, 0.1).verdict is Verdict.NOT_CALLED


IMPOSSIBLE = {
    "unknown": ("carrier", "Unable to find object carrier.\n", USAGE, "Asterisk knows no trunk carrier"),
    "no credentials": (
        "carrier",
        ENDPOINT.replace("carrier-auth", ""),
        USAGE,
        "carrier sends no credentials",
    ),
    "through a proxy": (
        "carrier",
        ENDPOINT.replace("proxy                     :", "proxy : sip:192.0.2.1"),
        USAGE,
        "through sip:192.0.2.1",
    ),
    "no command": (
        "carrier",
        ENDPOINT,
        "No such command 'channel originate'.\n",
        "res_clioriginate.so is not loaded",
    ),
    "more than a name": ("carrier application", "", "", "'carrier application' is no name of a trunk"),
}


@pytest.mark.parametrize(("trunk", "endpoint", "usage", "expected"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_where_no_call_can_be_made_none_is(
    entered: list[int], trunk: str, endpoint: str, usage: str, expected: str
) -> None:
    asterisk = Asterisk(("Admin", "new-never-shown"), endpoint, usage)
    with pytest.raises(TrunkCallError, match=re.escape(expected)):
        trunk_call.prove(asterisk, "pbx", trunk, EXPECTED, 1)
    assert asterisk.originated == []


def test_a_stopped_container_is_named() -> None:
    with pytest.raises(TrunkCallError, match="container other does not run"):
        trunk_call.prove(Asterisk(None), "other", "carrier", EXPECTED, 1)


def test_only_a_thread_of_its_own_enters_the_network(entered: list[int]) -> None:
    with trunk_call.socket_in_network_of(os.getpid()) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
        assert sock.getsockname()[1] > 0
    assert len(entered) == 1
    assert entered != [threading.get_ident()]


def test_a_process_that_is_gone_is_named() -> None:
    with pytest.raises(TrunkCallError, match="network cannot be entered"):
        trunk_call.socket_in_network_of(2**30)


@pytest.mark.parametrize("verdict", Verdict, ids=lambda verdict: str(verdict.value))
def test_every_verdict_has_a_sentence_without_the_password(verdict: Verdict) -> None:
    callee = Callee("proof-1", EXPECTED)
    callee.verdict, callee.sent_username = verdict, "Other"
    text = trunk_call.sentence("carrier", callee, 5)
    assert "carrier" in text
    assert "never-shown" not in text


def play(directory: Path, *arguments: str) -> tuple[int, str]:
    """Run the module on this machine for a container that does not exist."""
    task = {
        "callcenter.pbx.trunk_proof": {
            "container": "lab-trunk-proof-no-such-container",
            "trunk": "carrier",
            "username": "Admin",
            "password": "{{ carrier_password }}",
        }
    }
    playbook = directory / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(playbook),
            "--inventory=localhost,",
            "--connection=local",
            f"--extra-vars=ansible_python_interpreter={sys.executable}",
            "--extra-vars=carrier_password=new-never-shown",
            "-vvv",
            *arguments,
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    output = " ".join((done.stdout + done.stderr).split())
    assert "never-shown" not in output
    return done.returncode, output


def test_check_mode_calls_nobody(tmp_path: Path) -> None:
    code, output = play(tmp_path, "--check")
    assert code == 0, output
    assert "Not called: in check mode carrier has not been given these credentials." in output


def test_the_module_fails_where_nothing_can_be_proven(tmp_path: Path) -> None:
    code, output = play(tmp_path)
    assert code == 2
    assert "The credentials of carrier were not proven:" in output
    assert "impossible" in output
