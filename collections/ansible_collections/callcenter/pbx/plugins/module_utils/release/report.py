"""What the release module tells its user. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.release.diff import Masker, unified
from ansible_collections.callcenter.pbx.plugins.module_utils.release.transaction import (
    Outcome,
    Plan,
    RolledBack,
)

_MOST_FAULTS = 20


def planned(plan: Plan, drain_seconds: int) -> dict[str, Any]:
    """Return the result of check mode."""
    if plan.differing:
        said = [f"Would replace {', '.join(plan.differing)}"]
    elif plan.resumes:
        said = [f"Would finish the interrupted activation of release {plan.live.release}"]
    else:
        said = [_unchanged(plan)]
    if plan.activation.restart_reasons:
        reasons = "; ".join(plan.activation.restart_reasons)
        said.append(
            f"would restart Asterisk, because {reasons}: new calls would be refused and running ones given "
            f"{drain_seconds} s to end"
        )
    elif plan.activation.commands:
        said.append(f"would run {_commands(plan)}")
    return {**_facts(plan), "msg": "; ".join(said) + ".", "release": plan.live.release, "calls_cut": 0}


def done(outcome: Outcome) -> dict[str, Any]:
    """Return the result of a real run."""
    plan, drained = outcome.plan, outcome.drained
    if not (plan.differing or plan.resumes):
        said = [_unchanged(plan)]
        if plan.deferred:
            said.append("the image that the container is about to get accepts it")
    else:
        said = [f"Release {outcome.release} is live"]
        if plan.activation.restart_reasons:
            said.append(f"restarted Asterisk, because {'; '.join(plan.activation.restart_reasons)}")
        elif plan.activation.commands:
            said.append(f"ran {_commands(plan)}")
        elif plan.deferred:
            said.append("the container runs another image and loads the release when it is recreated")
        elif plan.loaded is None:
            said.append("Asterisk does not run yet")
    cut = drained.channels if drained else 0
    if cut:
        said.append(
            f"{cut} channels were still open after {drained.seconds if drained else 0} s and were cut"
        )
    return {**_facts(plan), "msg": "; ".join(said) + ".", "release": outcome.release, "calls_cut": cut}


def refused(faults: Sequence[str], live: str) -> str:
    """Return the message for a configuration that never went live."""
    shown = [f"  - {fault}" for fault in faults[:_MOST_FAULTS]]
    if len(faults) > _MOST_FAULTS:
        shown.append(f"  - and {len(faults) - _MOST_FAULTS} more")
    serving = f"Release {live} is still live and untouched." if live else "Nothing is live yet."
    return "\n".join(["Asterisk does not accept this configuration:", *shown, serving])


def rolled_back(failure: RolledBack, container: str) -> str:
    """Return the message for a release that was taken back, or that could not be."""
    logs = f"See `docker logs {container}` and logs/messages."
    if failure.also_failed:
        return (
            f"Asterisk did not take the release over ({failure}), nor the former one "
            f"({failure.also_failed}), which is on disk again: {failure.served_by}. Check the PBX. {logs}"
        )
    return f"Asterisk did not take the release over: {failure}. Release {failure.served_by} is live. {logs}"


def difference(plan: Plan, files: Mapping[str, str], masker: Masker) -> str:
    """Return the differences of a plan, permissions and restart announced in lines of their own."""
    notes = [
        f"permissions of {name} -> {'0750' if name.endswith('/') else '0640'} root:asterisk"
        for name in plan.live.astray
    ]
    notes += [f"restart: {reason}" for reason in plan.activation.restart_reasons]
    return unified(plan.live.files, files, masker) + "".join(f"{note}\n" for note in notes)


def _facts(plan: Plan) -> dict[str, Any]:
    return {
        "changed": plan.changed,
        "previous_release": plan.live.release,
        "files_changed": list(plan.differing),
        "reloaded": [] if plan.activation.restart_reasons else list(plan.activation.commands),
        "restart_reasons": list(plan.activation.restart_reasons),
    }


def _commands(plan: Plan) -> str:
    return ", ".join(f"`{command}`" for command in plan.activation.commands)


def _unchanged(plan: Plan) -> str:
    if plan.live.astray:
        return f"Permissions of {', '.join(plan.live.astray)} put right; their content is unchanged"
    return f"Release {plan.live.release} is live and unchanged"
