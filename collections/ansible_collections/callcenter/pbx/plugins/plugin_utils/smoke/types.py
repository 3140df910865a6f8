# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What the smoke checks are made of: what is wanted, what was found, and the verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import listings
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import Ports, Table, parse_table
from ansible_collections.callcenter.pbx.plugins.module_utils.host.untrusted import printable
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.options import SipAnswer


@dataclass(frozen=True)
class Trunk:
    """A carrier, and the names its objects have in Asterisk."""

    name: str
    context: str
    networks: tuple[str, ...]
    contacts: tuple[str, ...]
    termination_host: str | None
    auth_username: str | None
    codecs: tuple[str, ...]

    @property
    def identify(self) -> str:
        return f"{self.name}-identify"

    @property
    def is_named(self) -> bool:
        """Whether a name server is asked where it is."""
        return not (self.termination_host or "0").replace(".", "").isdigit()

    @property
    def auth(self) -> str | None:
        """The object for calls to a carrier that asks for credentials; none where it knows our address."""
        return f"{self.name}-auth" if self.termination_host and self.auth_username else None

    @property
    def aor(self) -> str | None:
        return f"{self.name}-aor" if self.contacts or self.termination_host else None


@dataclass(frozen=True)
class DialCheck:
    """Dialling ``dialled`` in ``context`` must lead to ``target``, as `numbering.resolve_dial` names it."""

    context: str
    dialled: str
    target: str


@dataclass(frozen=True)
class Wanted:
    """What the site declares."""

    root_dir: str
    address: str
    sip_port: int
    sip_tcp: bool
    local_sip_port: int
    rtp_first: int
    rtp_last: int
    extensions: tuple[str, ...]
    trunks: tuple[Trunk, ...]
    dial_checks: tuple[DialCheck, ...]
    minimum_version: str
    trunks_must_answer: bool
    inventory: Mapping[str, str]

    @property
    def ports(self) -> Ports:
        """The ports that calls need."""
        return Ports(self.sip_port, self.rtp_first, self.rtp_last)

    @property
    def rtp_pairs(self) -> tuple[int, int]:
        """First and last port that media can use: RTP is even, its RTCP the odd port above."""
        return self.rtp_first + self.rtp_first % 2, self.rtp_last - (self.rtp_last + 1) % 2


def read_wanted(args: Mapping[str, Any]) -> Wanted:
    """Take the task's arguments (validated) for what they mean."""
    return Wanted(
        root_dir=args["root_dir"],
        address=args["address"],
        sip_port=args["sip_port"],
        sip_tcp=args["sip_tcp"],
        local_sip_port=args["local_sip_port"],
        rtp_first=args["rtp_ports"]["first"],
        rtp_last=args["rtp_ports"]["last"],
        extensions=tuple(str(one["number"]) for one in args["extensions"]),
        trunks=tuple(
            Trunk(
                one["name"],
                one["context"],
                tuple(one.get("identify_networks") or ()),
                tuple(one.get("contacts") or ()),
                one.get("termination_host"),
                one.get("auth_username"),
                tuple(one.get("codecs") or ()),
            )
            for one in args["trunks"]
        ),
        dial_checks=tuple(
            DialCheck(one["context"], one["dialled"], one["target"]) for one in args["dial_checks"]
        ),
        minimum_version=args["minimum_version"],
        trunks_must_answer=args["trunks_must_answer"],
        inventory=args["inventory"],
    )


@dataclass(frozen=True)
class Evidence:
    """What was found: the remote module's ``evidence``, and the controller's SIP probes by transport.

    A probe is the answer, or a sentence about why there is none.
    """

    raw: Mapping[str, Any]
    probes: Mapping[str, SipAnswer | str]

    @property
    def container(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.raw["container"]
        return found

    @property
    def console_error(self) -> str | None:
        error: str | None = self.raw["console"]["error"]
        return error

    def answer(self, command: str) -> str:
        """What Asterisk's console answered."""
        return str(self.raw["console"]["answers"].get(command, ""))

    @cached_property
    def endpoints(self) -> dict[str, listings.Endpoint]:
        return listings.endpoints(self.answer("pjsip show endpoints"))

    @cached_property
    def identifies(self) -> tuple[listings.Identify, ...]:
        return listings.identifies(self.answer("pjsip show identifies"))

    @cached_property
    def auths(self) -> frozenset[str]:
        return listings.names(self.answer("pjsip list auths"), "Auth")

    @cached_property
    def aors(self) -> frozenset[str]:
        return listings.names(self.answer("pjsip list aors"), "Aor")

    def trunk_parameters(self, name: str) -> dict[str, str]:
        """Parameters of a trunk's endpoint; empty when it does not exist."""
        return listings.parameters(self.answer(f"pjsip show endpoint {name}"))

    @cached_property
    def tables(self) -> dict[int, Table | str]:
        """The filter table for IPv4 and IPv6, or why it could not be read."""
        found: dict[int, Table | str] = {}
        for version, program in ((4, "iptables"), (6, "ip6tables")):
            output = self.raw["host"][program]
            found[version] = output["error"] or parse_table(output["text"])
        return found


class Status(StrEnum):
    """A check's verdict."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNCHECKED = "unchecked"  # something else is wrong that hides it


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what was seen, and a remedy or symptom where the check's own do not fit.

    ``about`` is the object's name, filled into the check's remedy.
    """

    seen: str
    remedy: str = ""
    symptom: str = ""
    is_warning: bool = False
    about: str = ""


@dataclass(frozen=True)
class Outcome:
    """What one check found: one line for the table, and all that is wrong."""

    summary: str
    problems: tuple[Problem, ...] = ()


def outcome(summary: str, problems: Iterable[Problem] = ()) -> Outcome:
    """An outcome from any iterable of problems."""
    return Outcome(summary, tuple(problems))


@dataclass(frozen=True)
class Check:
    """One entry in the list of checks.

    ``name`` is the stable key in JSON and JUnit; ``symptom`` is what users see when it fails, in the words of
    the troubleshooting guide; ``remedy`` is what to do, with ``{root_dir}`` and ``{about}`` to be filled in.
    A check that ``needs_console`` is not made when Asterisk's console is silent, which another one reports.
    """

    name: str
    title: str
    judge: Callable[[Wanted, Evidence], Outcome]
    symptom: str
    remedy: str
    needs_console: bool = True


@dataclass(frozen=True)
class Result:
    """A check that was made."""

    name: str
    title: str
    status: Status
    summary: str
    problems: tuple[Problem, ...]


def run_checks(checks: Sequence[Check], wanted: Wanted, evidence: Evidence) -> list[Result]:
    """Make all checks; problems come back with the check's symptom and remedy where they bring none."""
    return [_run(check, wanted, evidence) for check in checks]


def _run(check: Check, wanted: Wanted, evidence: Evidence) -> Result:
    if check.needs_console and evidence.console_error:
        summary = f"not checked: {evidence.console_error}"
        return Result(check.name, check.title, Status.UNCHECKED, summary, ())
    found = check.judge(wanted, evidence)
    problems = tuple(
        Problem(
            printable(problem.seen),
            problem.remedy or check.remedy.format(root_dir=wanted.root_dir, about=problem.about),
            problem.symptom or check.symptom,
            problem.is_warning,
        )
        for problem in found.problems
    )
    status = Status.PASSED
    if problems:
        status = Status.WARNING if all(problem.is_warning for problem in problems) else Status.FAILED
    return Result(check.name, check.title, status, printable(found.summary), problems)
