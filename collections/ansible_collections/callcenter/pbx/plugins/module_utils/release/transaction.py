"""The way of a release from rendered files to a running Asterisk, or back.

The order of the steps is what makes a cut at any point harmless: what a running Asterisk may have
loaded is written down *before* the link is swapped, and narrowed to one release only after Asterisk
was seen to run it. A later run compares that record with the link and finishes what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import Drained
from ansible_collections.callcenter.pbx.plugins.module_utils.release.plan import (
    Activation,
    PjsipObject,
    changed_files,
    changed_objects,
    plan_activation,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.release.tree import Live, ReleaseTree


class Rejected(Exception):
    """Asterisk does not accept a staged tree; ``faults`` are sentences."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class ActivationFailed(Exception):
    """The running Asterisk did not take a release over."""


@dataclass(frozen=True)
class Snapshot:
    """What an Asterisk runs: names by kind, dialplan lines by context, parameters of some objects."""

    objects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    contexts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Mapping[PjsipObject, tuple[tuple[str, str], ...]] = field(default_factory=dict)


class Pbx(Protocol):
    """The Asterisk a release is for."""

    def started_at(self) -> float | None:
        """Return when it started (seconds since the epoch), None when it does not run."""

    def runs_wanted_image(self) -> bool:
        """Tell whether it runs the image a release is validated with."""

    def validate(self, tree: Path, files: Mapping[str, str], objects: frozenset[PjsipObject]) -> Snapshot:
        """Start on ``tree`` beside the running one and describe the result, or raise `Rejected`."""

    def activate(self, activation: Activation) -> Drained | None:
        """Reload or restart, or raise `ActivationFailed`."""

    def verify(self, expected: Snapshot) -> None:
        """Raise `ActivationFailed` unless it answers and runs what is expected."""


@dataclass(frozen=True)
class Plan:
    """What a run will do, from reading alone.

    :param differing: files to be replaced, added or removed
    :param loaded: releases Asterisk may have in memory, None when it does not run
    :param deferred: it runs another image, so the coming recreation of its container loads the release
    """

    live: Live
    differing: tuple[str, ...]
    loaded: tuple[str, ...] | None
    activation: Activation
    deferred: bool = False

    @property
    def resumes(self) -> bool:
        """An earlier run was cut off before Asterisk had taken the live release over."""
        return not self.differing and bool(self.activation)

    @property
    def changed(self) -> bool:
        return bool(self.differing or self.live.astray or self.activation)


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    plan: Plan
    release: str
    drained: Drained | None = None
    pruned: tuple[str, ...] = ()


class RolledBack(Exception):
    """A release went live and was taken back; ``served_by`` is what is live now."""

    def __init__(self, reason: str, served_by: str, also_failed: str = "") -> None:
        super().__init__(reason)
        self.served_by = served_by
        self.also_failed = also_failed


class Transaction:
    """Brings ``files`` into service.

    :param keep: how many releases to keep
    :param checkpoint: called with the name of each step as it is done; tests cut the run there
    """

    def __init__(
        self,
        tree: ReleaseTree,
        pbx: Pbx,
        files: Mapping[str, str],
        keep: int,
        checkpoint: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.tree = tree
        self.pbx = pbx
        self.files = files
        self.keep = keep
        self._checkpoint = checkpoint

    def plan(self) -> Plan:
        """Compare what is wanted with what is live and what is loaded. Reads only."""
        live = self.tree.live(self.files)
        differing = tuple(changed_files(live.files, self.files))
        recorded = self.tree.loaded()
        plan = Plan(live, differing, recorded, Activation())
        started = self.pbx.started_at()
        if started is None:
            return replace(plan, loaded=None)
        # A start after the swap has read the live tree, whatever was recorded before it.
        loaded = (live.release,) if started > self.tree.swapped_at() else recorded or (live.release,)
        if not self.pbx.runs_wanted_image():
            return replace(plan, loaded=loaded, deferred=True)
        if not differing and loaded == (live.release,):
            return replace(plan, loaded=loaded)
        activation = plan_activation([self.tree.files(release) for release in loaded], self.files)
        return replace(plan, loaded=loaded, activation=activation)

    def run(self) -> Outcome:
        """Do what `plan` says.

        :raises Rejected: nothing was changed
        :raises RolledBack: the former release is live again
        """
        with self.tree.locked():
            plan = self.plan()
            self.tree.repair(plan.live.astray)
            objects = self._objects(plan)
            if plan.differing:
                release, expected = self._put_in_place(plan, objects)
            else:
                release = plan.live.release
                # A coming container of another image has to accept what is live, too.
                tries = plan.resumes or plan.deferred
                expected = self._validate(self.tree.link.resolve(), objects) if tries else Snapshot()
            drained = self._bring_into_service(plan, release, expected) if plan.activation else None
            if not (plan.deferred and plan.loaded != (release,)):
                self.tree.record_loaded(release)
            self._checkpoint("recorded as loaded")
            pruned = self.tree.prune(self.keep) if plan.differing else []
            return Outcome(plan, release, drained, tuple(pruned))

    def _objects(self, plan: Plan) -> frozenset[PjsipObject]:
        if not plan.activation:
            return frozenset()
        return changed_objects([self.tree.files(release) for release in plan.loaded or ()], self.files)

    def _put_in_place(self, plan: Plan, objects: frozenset[PjsipObject]) -> tuple[str, Snapshot]:
        """Stage, validate, publish and swap; return the new release and what it should look like."""
        staged = self.tree.stage(self.files, plan.live)
        self._checkpoint("staged")
        expected = self._validate(staged, objects)
        self._checkpoint("validated")
        release = self.tree.publish()
        self._checkpoint("published")
        self.tree.record_loaded(*(plan.loaded or ()), release)
        self._checkpoint("recorded as loading")
        self.tree.swap(release)
        self._checkpoint("swapped")
        return release, expected

    def _validate(self, tree: Path, objects: frozenset[PjsipObject]) -> Snapshot:
        try:
            return self.pbx.validate(tree, self.files, objects)
        except Exception:
            self.tree.discard_staged()
            raise

    def _bring_into_service(self, plan: Plan, release: str, expected: Snapshot) -> Drained | None:
        try:
            drained = self.pbx.activate(plan.activation)
            self._checkpoint("activated")
            self.pbx.verify(expected)
        except ActivationFailed as failure:
            raise self._roll_back(plan, release, failure) from failure
        self._checkpoint("verified")
        return drained

    def _roll_back(self, plan: Plan, release: str, failure: ActivationFailed) -> RolledBack:
        """Make the former release live and loaded again; without one, the new one has to stay."""
        former = plan.live.release
        if former == release or not former:
            candidates = [known for known in plan.loaded or () if known != release and self.tree.files(known)]
            if not candidates:
                return RolledBack(str(failure), release)
            former = candidates[-1]
        back = plan_activation([self.files], self.tree.files(former))
        # What a restart brought, only a restart takes back.
        back = replace(back, restart_reasons=plan.activation.restart_reasons)
        self.tree.swap(former)
        self._checkpoint("swapped back")
        try:
            self.pbx.activate(back)
            self.pbx.verify(Snapshot())
        except ActivationFailed as also:
            return RolledBack(str(failure), former, str(also))
        self.tree.record_loaded(former)
        self.tree.remove(release)
        return RolledBack(str(failure), former)
