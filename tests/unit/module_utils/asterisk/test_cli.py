"""Reading Asterisk's console, with answers as Asterisk 22.10.1 gives them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import cli as asterisk_cli
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import (
    AsteriskCli,
    AsteriskSilent,
    Drained,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine, ExecResult

ENDPOINTS = """
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
==========================================================================================

 Endpoint:  100/100                                              Unavailable   0 of inf
 Endpoint:  health-check                                         Unavailable   0 of inf

Objects found: 2
"""
IDENTIFIES = """
 Identify:  <Identify/Endpoint...........................................................>
      Match:  <criteria...........................>
==========================================================================================

 Identify:  twilio-na-us-identify/twilio-na-us
"""
TRANSPORTS = """
Transport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress....................>
==========================================================================================

Transport:  transport-tcp             tcp      0      0  0.0.0.0:5062
Transport:  transport-udp             udp      0      0  0.0.0.0:5060
"""
AUTH = """
     Auth:  100-iauth/100

 ParameterName            : ParameterValue
 ===============================================================
 username                 : 100
 auth_type                : digest
 realm                    :
 password_digest          : MD5:00
"""
DIALPLAN = """[ Context 'internal' created by 'pbx_config' ]
  Include =>        'extensions'                                  [pbx_config]

[ Context 'parkedcalls' created by 'res_parking' ]
  '700' =>          1. Park()                                     [res_parking]

[ Context 'extensions' created by 'pbx_config' ]
  '100' =>          1. Dial(PJSIP/100,20)                         [extensions.conf:8]
                    2. Hangup()                                   [extensions.conf:9]

[ Context 'health-check' created by 'pbx_config' ]

-= 2 extensions (3 priorities) in 4 contexts. =-
"""
MAINTENANCE = """
  Endpoint                                  State
  ----------------------------------------  -----
  100                                       ON
  health-check                              ON

  2 endpoints in maintenance mode
"""

NAMES = {
    "endpoints show a caller": ("endpoint", ENDPOINTS, {"100", "health-check"}),
    "identifies show an endpoint": ("identify", IDENTIFIES, {"twilio-na-us-identify"}),
    "transports": ("transport", TRANSPORTS, {"transport-tcp", "transport-udp"}),
    "none": ("auth", "No objects found.\n", set()),
}


@pytest.mark.parametrize(("kind", "answer", "expected"), NAMES.values(), ids=NAMES)
def test_names_are_read_from_lists(kind: str, answer: str, expected: set[str]) -> None:
    assert asterisk_cli.parse_names(kind, answer) == expected


def test_parameters_are_read_in_a_stable_order() -> None:
    assert asterisk_cli.parse_parameters(AUTH) == (
        ("auth_type", "digest"),
        ("password_digest", "MD5:00"),
        ("realm", ""),
        ("username", "100"),
    )
    assert asterisk_cli.parse_parameters("Unable to find object 100.\n") == ()


def test_only_contexts_of_ours_are_read() -> None:
    assert asterisk_cli.parse_contexts(DIALPLAN) == {
        "internal": ("  Include =>        'extensions'                                  [pbx_config]",),
        "extensions": (
            "  '100' =>          1. Dial(PJSIP/100,20)                         [extensions.conf:8]",
            "                    2. Hangup()                                   [extensions.conf:9]",
        ),
        "health-check": (),
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("0 active channels\n0 active calls\n", 0),
        ("1 active channel\n1 active call\n", 1),
        ("50 active channels\n", 50),
    ],
)
def test_channels_are_counted(answer: str, expected: int) -> None:
    assert asterisk_cli.parse_channel_count(answer) == expected


def test_a_missing_count_is_no_zero() -> None:
    with pytest.raises(AsteriskSilent, match="how many channels"):
        asterisk_cli.parse_channel_count("")


def test_the_port_is_that_of_the_udp_transport() -> None:
    assert asterisk_cli.parse_udp_port(TRANSPORTS) == 5060
    assert asterisk_cli.parse_udp_port("") is None


def test_endpoints_in_maintenance_are_read() -> None:
    assert asterisk_cli.parse_maintenance(MAINTENANCE) == {"100", "health-check"}


class ScriptedEngine(DockerEngine):
    """An engine whose one container answers from a table; lists are used up one by one."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        super().__init__()
        self.answers = answers
        self.ran: list[str] = []

    def exec(
        self, container: str, argv: Sequence[str], *, user: str = "", timeout: float | None = None
    ) -> ExecResult:
        commands = list(argv[4:])
        self.ran += commands
        return ExecResult(
            0, "".join("\x1e" + self.answers.get(command, [""]).pop(0) for command in commands), ""
        )


def drain(channels: list[int], seconds: int) -> tuple[Drained, list[float], list[str]]:
    """Drain with a scripted number of channels, one reading after the other, on a clock of its own."""
    answers = {"core show channels count": [f"{count} active channels\n" for count in channels]}
    engine = ScriptedEngine({**answers, "pjsip set maintenance on all": ["Maintenance mode ENABLED\n"]})
    slept: list[float] = []
    result = AsteriskCli(engine, "pbx").drain(seconds, slept.append, lambda: 100 + sum(slept))
    return result, slept, engine.ran


def test_a_drain_refuses_new_calls_before_it_counts() -> None:
    result, slept, ran = drain([0], 300)
    assert (result, slept) == (Drained(0, 0), [])
    assert ran == ["pjsip set maintenance on all", "core show channels count"]


def test_a_drain_ends_with_the_last_call() -> None:
    assert drain([4, 2, 2, 0], 300)[0] == Drained(0, 3)


def test_a_drain_ends_at_its_deadline() -> None:
    assert drain([2] * 9, 3)[0] == Drained(2, 3)


def test_as_many_answers_as_commands_are_required() -> None:
    class Cut(ScriptedEngine):
        def exec(
            self, container: str, argv: Sequence[str], *, user: str = "", timeout: float | None = None
        ) -> ExecResult:
            return ExecResult(137, "\x1eone", "")

    with pytest.raises(AsteriskSilent, match="1 of 2 commands"):
        AsteriskCli(Cut({}), "pbx").run(["a", "b"])


@pytest.mark.parametrize(
    ("lost", "attempts", "answers"),
    [
        pytest.param(0, 3, ["one", "two"], id="heard"),
        pytest.param(2, 3, ["one", "two"], id="lost twice"),
        pytest.param(3, 3, None, id="lost always"),
        pytest.param(1, 1, None, id="must not be run again"),
    ],
)
def test_what_docker_loses_is_asked_again(
    lost: int, attempts: int, answers: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(ScriptedEngine):
        asked = 0

        def exec(
            self, container: str, argv: Sequence[str], *, user: str = "", timeout: float | None = None
        ) -> ExecResult:
            self.asked += 1
            return ExecResult(0, "" if self.asked <= lost else "\x1eone\x1etwo", "")

    monkeypatch.setattr(asterisk_cli, "_PAUSE_SECONDS", 0)
    engine = Forgetful({})
    cli = AsteriskCli(engine, "pbx")
    if answers is None:
        with pytest.raises(AsteriskSilent, match="0 of 2 commands"):
            cli.run(["a", "b"], attempts=attempts)
        assert engine.asked == attempts
    else:
        assert cli.run(["a", "b"], attempts=attempts) == answers
