"""The probe's own decisions, with a stand-in for the Docker engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
    DockerTimeout,
    DockerUnavailable,
    ExecResult,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke import probe as smoke_probe

from lab.paths import ROOT

INSPECTED = {
    "Image": "sha256:0123",
    "State": {"Running": True, "Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00Z"},
    "Config": {"Image": "callcenter/asterisk:22", "Labels": {"com.docker.compose.service": "asterisk"}},
    "NetworkSettings": {
        "Ports": {"5060/udp": [{"HostIp": "0.0.0.0", "HostPort": "5060"}] * 2, "5061/tcp": None}
    },
}
ENDPOINT = """
 ParameterName                      : ParameterValue
 ======================================================
 context                            : from-carrier
 outbound_auth                      : carrier-auth
 dtls_cert_file                     : /etc/key.pem
 set_var                            : PIN=1234
"""


class Engine:
    """Answers as an engine with one container, in which the console knows one endpoint."""

    def __init__(self, found: dict[str, Any] | None, refusal: Exception | None = None) -> None:
        self.found, self.refusal = found, refusal

    def container(self, name: str) -> dict[str, Any] | None:
        if isinstance(self.refusal, DockerUnavailable):
            raise self.refusal
        return self.found

    def image(self, reference: str) -> dict[str, Any] | None:
        return {"Created": "2026-11-20T01:21:45.430637514Z"}

    def exec(self, container: str, argv: list[str], **_: object) -> ExecResult:
        if self.refusal:
            raise self.refusal
        answers = {"core show version": "Asterisk 22.10.1 built\n", "pjsip show endpoint carrier": ENDPOINT}
        return ExecResult(0, "".join(f"\x1e{answers.get(command, '')}" for command in argv[4:]), "")


@pytest.fixture
def gather(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Gather from a given engine, without asking this machine's packet filter."""

    def run(engine: Engine, may_send: bool = True) -> dict[str, Any]:
        monkeypatch.setattr(smoke_probe, "DockerEngine", lambda **_: engine)
        monkeypatch.setattr(smoke_probe, "HOST_COMMANDS", {"sets": ("no-such-command",)})
        monkeypatch.setattr(smoke_probe, "prove", lambda ports, _: {"error": None, "ways": sorted(ports)})
        dialled = [{"context": "internal", "dialled": "100"}]
        return smoke_probe.gather(str(tmp_path), "pbx", 5060, ["carrier"], dialled, may_send=may_send)

    return run


def test_nothing_deployed(gather: Any) -> None:
    found = gather(Engine(None))
    assert (found["deployed"], found["container"], found["engine_error"]) == (False, None, None)
    assert found["console"] == {"error": "its container does not run", "answers": {}}
    assert found["host"] == {"sets": {"text": "", "error": "no-such-command is not installed"}}
    assert found["log"]["error"] == "No such file or directory"


def test_a_compose_project_without_container_counts_as_deployed(gather: Any, tmp_path: Path) -> None:
    (tmp_path / "compose.yml").touch()
    assert gather(Engine(None))["deployed"] is True


def test_an_engine_that_is_down_is_told_apart(gather: Any) -> None:
    assert gather(Engine(None, DockerUnavailable("no engine")))["engine_error"] == "no engine"


def test_a_running_container_is_described_and_asked(gather: Any, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/messages").write_text("[2026-01-01 00:00:00] VERBOSE[1] app_dial.c: Dial\n")
    found = gather(Engine(INSPECTED))
    assert found["container"]["ports"] == {"5060/udp": ["0.0.0.0 5060"], "5061/tcp": []}
    assert (found["console"]["error"], found["closed_logs"], found["log"]["calls"]) == (None, [], 1)
    assert found["dialling"] == [
        {"context": "internal", "dialled": "100", "target": None, "path": ("100@internal (no match)",)}
    ]


def test_packets_are_sent_to_what_is_published_and_none_in_check_mode(gather: Any) -> None:
    assert gather(Engine(INSPECTED))["drop"] == {"error": None, "ways": ["5060/udp", "5061/tcp"]}
    assert gather(Engine(INSPECTED), may_send=False)["drop"] is None


def test_only_the_parameters_that_are_judged_leave_the_host(gather: Any) -> None:
    answer = gather(Engine(INSPECTED))["console"]["answers"]["pjsip show endpoint carrier"]
    assert [line.split()[0] for line in answer.splitlines()] == ["context", "outbound_auth"]


def test_no_command_prints_a_password() -> None:
    assert not [command for command in smoke_probe.CONSOLE_COMMANDS if command.startswith("pjsip show auth")]


def test_a_silent_console_is_named(gather: Any) -> None:
    found = gather(Engine(INSPECTED, DockerTimeout("POST /exec/1/start: not over after 10 s")))
    assert found["console"] == {"error": "its console gives no answer within 10 s", "answers": {}}
    assert (found["dialling"], len(found["closed_logs"])) == ([], 3)


def test_a_question_about_the_logs_that_fails_is_no_yes(gather: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "exec", lambda *_, **__: ExecResult(127, "", "sh: not found"))
    assert len(gather(Engine(INSPECTED))["closed_logs"]) == 3


def test_what_smoke_asks_apt_about_is_what_an_update_brings_in() -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / "update.yml").read_text())
    found = [
        play["vars"]["__update_packages"] for play in plays if "__update_packages" in play.get("vars", ())
    ]
    assert set(smoke_probe.PACKAGES) <= set(found[0])
