"""The Asterisk in a container: trying a release out beside it, and making it take one over."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import cli as asterisk_cli
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import (
    AsteriskCli,
    AsteriskSilent,
    Drained,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
    DockerEngine,
    DockerError,
    DockerUnavailable,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.release import findings
from ansible_collections.callcenter.pbx.plugins.module_utils.release.plan import Activation, PjsipObject
from ansible_collections.callcenter.pbx.plugins.module_utils.release.transaction import (
    ActivationFailed,
    Rejected,
    Snapshot,
)

BOOT_SECONDS = 60.0
SETTLE_SECONDS = 10.0
# Asterisk hangs up and leaves within 15 s of SIGTERM; killed after this.
STOP_SECONDS = 30
MOST_COMPARED = 100
_DEFAULT_SIP_PORT = 5060

_SURVEY = [*asterisk_cli.list_commands(), "dialplan show"]
_MEANS = ["core show applications", "core show functions"]
_READ_LOGS = ["sh", "-c", "cat /var/log/asterisk/* 2>/dev/null"]
_REFUSALS = ("No such", "Unable to", "failed", "was not", "Error")


class ContainerPbx:
    """The PBX in one container.

    :param owner: "uid:gid" Asterisk runs as
    :param required: objects ({type, name}) without which a release is refused
    :param drain_seconds: how long a restart waits for running calls
    """

    def __init__(
        self,
        engine: DockerEngine,
        container: str,
        image: str,
        owner: str,
        required: Sequence[Mapping[str, str]],
        drain_seconds: int,
    ) -> None:
        self.engine = engine
        self.container = container
        self.image = image
        self.owner = owner
        self.required = required
        self.drain_seconds = drain_seconds
        self.cli = AsteriskCli(engine, container)
        self._port = _DEFAULT_SIP_PORT

    def started_at(self) -> float | None:
        try:
            state = self._inspect().get("State", {})
        except DockerUnavailable:
            return None
        if not state.get("Running") or state.get("Restarting"):
            return None
        return parse_time(state["StartedAt"])

    def runs_wanted_image(self) -> bool:
        wanted = self.engine.image(self.image)
        return wanted is not None and wanted["Id"] == self._inspect().get("Image")

    def validate(self, tree: Path, files: Mapping[str, str], objects: frozenset[PjsipObject]) -> Snapshot:
        if self.engine.image(self.image) is None:
            raise DockerError(
                f"this host has no image {self.image!r}; the role asterisk_image brings it there"
            )
        name = f"{self.container}-validation"
        # One may be left of a run that was cut off.
        self.engine.remove_container(name)
        self.engine.create_container(validation_container(self.image, self.owner, tree), name)
        trial = AsteriskCli(self.engine, name)
        try:
            self.engine.start_container(name)
            try:
                trial.await_boot(BOOT_SECONDS)
            except (AsteriskSilent, DockerError) as error:
                log = self.engine.logs(name)
                faults = findings.log_faults(log, files)
                raise Rejected(faults or [f"{error}; its last words: {log.strip()[-500:]}"]) from error
            return self._judge(trial, files, objects)
        finally:
            self.engine.remove_container(name)

    def activate(self, activation: Activation) -> Drained | None:
        try:
            if activation.restart_reasons:
                # One that has crashed has no calls left to wait for.
                drained = self.cli.drain(self.drain_seconds) if self.started_at() else None
                self.engine.restart_container(self.container, STOP_SECONDS)
                self.cli.await_boot(BOOT_SECONDS)
                return drained
            answers = self.cli.run(activation.commands)
        except (AsteriskSilent, DockerError) as error:
            raise ActivationFailed(self._with_last_words(str(error))) from error
        for command, answer in zip(activation.commands, answers, strict=True):
            if any(word in answer for word in _REFUSALS):
                raise ActivationFailed(f"`{command}` answered: {answer.strip()}")
        return None

    def verify(self, expected: Snapshot) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while faults := self._differences(expected):
            if time.monotonic() >= deadline:
                raise ActivationFailed("; ".join(faults[:10]))
            time.sleep(0.5)

    # -- machinery -----------------------------------------------------------------------

    def _inspect(self) -> dict[str, Any]:
        return self.engine.container(self.container) or {}

    def _with_last_words(self, failure: str) -> str:
        """Add what a crashed Asterisk said about it."""
        if self.started_at():
            return failure
        words = findings.log_faults(self.engine.logs(self.container, 50), {})
        return f"{failure}; it said: {'; '.join(words[-5:])}" if words else failure

    def _judge(
        self, trial: AsteriskCli, files: Mapping[str, str], objects: frozenset[PjsipObject]
    ) -> Snapshot:
        answers = trial.run([*_SURVEY, *_MEANS])
        snapshot = read_snapshot(answers)
        present = findings.Present(
            {**snapshot.objects, "context": frozenset(snapshot.contexts)},
            findings.parse_applications(answers[len(_SURVEY)]),
            findings.parse_functions(answers[len(_SURVEY) + 1]),
        )
        log = self.engine.exec(trial.container, _READ_LOGS).stdout + self.engine.logs(trial.container, 10000)
        # What Asterisk complains of comes first: most of the rest would only follow from it.
        faults = findings.log_faults(log, files) or [
            *findings.reference_faults(files, present),
            *findings.dialplan_faults(snapshot.contexts, present),
            *findings.missing_objects(self.required, present),
        ]
        self._port = asterisk_cli.parse_udp_port("".join(answers)) or _DEFAULT_SIP_PORT
        if faults := faults or self._options_faults(trial):
            raise Rejected(faults)
        return replace(snapshot, parameters=read_parameters(trial, sample(objects, snapshot)))

    def _differences(self, expected: Snapshot) -> list[str]:
        try:
            actual = read_snapshot(self.cli.run(_SURVEY))
            parameters = read_parameters(self.cli, list(expected.parameters))
            faults = differences(expected, replace(actual, parameters=parameters))
            return [*faults, *self._options_faults(self.cli)]
        except (AsteriskSilent, DockerError) as error:
            return [str(error)]

    def _options_faults(self, cli: AsteriskCli) -> list[str]:
        answer = cli.options_answer(self._port)
        if answer.startswith("SIP/2.0 200"):
            return []
        return [
            f"SIP OPTIONS to port {self._port} was answered with {answer or 'nothing'!r} instead of 200 OK"
        ]


def validation_container(image: str, owner: str, tree: Path) -> dict[str, Any]:
    """Return the container in which a tree is tried: as the real one, but without network or state."""
    uid, gid = owner.split(":")
    private = f"uid={uid},gid={gid},mode=0750"
    return {
        "Image": image,
        "User": owner,
        "Entrypoint": [],
        "Cmd": ["asterisk", "-f", "-n"],
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": {"callcenter.purpose": "validation"},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "Init": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 500,
            "Binds": [f"{tree}:/srv/asterisk/config:ro"],
            "Tmpfs": {
                "/tmp": "mode=1777",
                "/run/asterisk": private,
                "/var/lib/asterisk/astdb": private,
                "/var/log/asterisk": private,
                "/var/spool/asterisk": private,
            },
        },
    }


def read_snapshot(answers: Sequence[str]) -> Snapshot:
    """Read the answers to the survey's commands; those after them do not count."""
    kinds = list(asterisk_cli.PJSIP_KINDS)
    listed = {
        kind: asterisk_cli.parse_names(kind, answer) for kind, answer in zip(kinds, answers, strict=False)
    }
    return Snapshot(listed, asterisk_cli.parse_contexts(answers[len(kinds)]))


def sample(objects: Iterable[PjsipObject], snapshot: Snapshot) -> list[PjsipObject]:
    """Return the existing ones of these objects, or as many of them, evenly spread, as may be compared.

    Asterisk shows one object a command, 50 a second. Of a thousand rotated passwords not each need be
    looked at: a reload takes a file over as a whole, and the names of all objects are compared anyway.
    """
    existing = sorted((item for item in objects if item.name in snapshot.objects.get(item.kind, ())), key=str)
    return existing[:: -(-len(existing) // MOST_COMPARED) or 1]


def read_parameters(
    cli: AsteriskCli, items: Sequence[PjsipObject]
) -> dict[PjsipObject, tuple[tuple[str, str], ...]]:
    """Return the parameters of these objects."""
    answers = cli.run([f"pjsip show {item.kind} {item.name}" for item in items])
    return {item: asterisk_cli.parse_parameters(answer) for item, answer in zip(items, answers, strict=True)}


def differences(expected: Snapshot, actual: Snapshot) -> list[str]:
    """Say what runs otherwise than sent; nothing is expected of an empty snapshot.

    Values stay unsaid: some are secret.
    """
    if not expected.objects:
        return []
    faults = []
    for kind, names in expected.objects.items():
        faults += [f"{kind} {name!r} did not appear" for name in sorted(names - actual.objects[kind])]
        faults += [f"{kind} {name!r} did not go away" for name in sorted(actual.objects[kind] - names)]
    for item, wanted in sorted(expected.parameters.items(), key=str):
        found = actual.parameters[item]
        keys = sorted({key for key, _ in set(wanted) ^ set(found)} - _registered(item, wanted))
        # An object that is not there at all has been named above.
        if keys and found:
            faults.append(f"{item.kind} {item.name!r} kept its former {', '.join(keys[:5])}")
    for name in sorted(expected.contexts.keys() | actual.contexts.keys()):
        if expected.contexts.get(name) != actual.contexts.get(name):
            faults.append(f"dialplan context {name!r} is not what was sent")
    return faults


def _registered(item: PjsipObject, wanted: tuple[tuple[str, str], ...]) -> set[str]:
    """Name the parameter that phones fill by registering: the contacts of an AOR sent without any."""
    return {"contact"} if item.kind == "aor" and not dict(wanted).get("contact") else set()


def parse_time(text: str) -> float:
    """Return the engine's time stamp (UTC, up to nanoseconds) in seconds since the epoch."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return seconds + float(f"0.{fraction or 0}")
