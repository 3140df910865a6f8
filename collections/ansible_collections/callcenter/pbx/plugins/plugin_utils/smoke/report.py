# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Show the results of the smoke checks: as text for people, as JSON and JUnit for machines."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import Problem, Result, Status

WIDTH = 118
JSON_SCHEMA = 1

_MARKS = {Status.PASSED: "ok  ", Status.WARNING: "WARN", Status.FAILED: "FAIL", Status.UNCHECKED: "----"}
_TITLE_WIDTH = 23
_SHOWN_PROBLEMS = 10
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Run:
    """One run of all checks: of which host, when (ISO 8601, UTC), how long, with which results."""

    host: str
    address: str
    started: str
    seconds: float
    results: Sequence[Result]

    @property
    def failed(self) -> bool:
        """Unchecked alone is no failure: what hides it has failed itself."""
        return any(result.status is Status.FAILED for result in self.results)

    @property
    def counts(self) -> dict[str, int]:
        """Number of checks by status."""
        found = Counter(result.status for result in self.results)
        return {str(status): found[status] for status in Status}


def headline(run: Run) -> str:
    """One sentence: how it went, and what failed."""
    counts = ", ".join(f"{count} {status}" for status, count in run.counts.items() if count)
    failed = ", ".join(result.title for result in run.results if result.status is Status.FAILED)
    of_what = f" ({failed})" if failed else ""
    return f"{len(run.results)} smoke checks of {run.host} in {run.seconds:.1f} s: {counts}{of_what}."


def table(run: Run) -> str:
    """One line a check."""
    width = WIDTH - _TITLE_WIDTH - 6
    rows = []
    for result in run.results:
        summary = textwrap.shorten(result.summary, width, placeholder=" …")
        rows.append(f"{_MARKS[result.status]}  {result.title:<{_TITLE_WIDTH}}{summary}".rstrip())
    return "\n".join(rows)


def problems(run: Run) -> str:
    """Everything that is wrong, failures first; '' when nothing is.

    What has the same symptom and remedy in one check is shown together.
    """
    groups: dict[tuple[bool, str, str, str], list[str]] = {}
    for result in run.results:
        for one in result.problems:
            groups.setdefault((one.is_warning, result.title, one.symptom, one.remedy), []).append(one.seen)
    ordered = sorted(groups.items(), key=lambda group: group[0][0])
    return "\n\n".join("\n".join(_group(*key, seen)) for key, seen in ordered)


def _group(is_warning: bool, title: str, symptom: str, remedy: str, seen: Sequence[str]) -> Iterator[str]:
    yield f"{'WARN' if is_warning else 'FAIL'}  {title}: {symptom}"
    shown = [*seen[:_SHOWN_PROBLEMS]]
    if len(seen) > len(shown):
        shown.append(f"{len(seen) - len(shown)} more, see the reports")
    for place, text in enumerate(shown):
        yield _indented("" if place else "seen", text)
    yield _indented("remedy", remedy)


def _indented(word: str, text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=f"      {word:<8}",
        subsequent_indent=" " * 16,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_json(run: Run) -> str:
    """The run as JSON. Keys and names are stable; a change that breaks readers raises ``schema``."""
    return json.dumps(
        {
            "schema": JSON_SCHEMA,
            "host": run.host,
            "address": run.address,
            "started": run.started,
            "seconds": run.seconds,
            "status": str(Status.FAILED if run.failed else Status.PASSED),
            "counts": run.counts,
            "checks": [
                {
                    "name": result.name,
                    "title": result.title,
                    "status": str(result.status),
                    "summary": result.summary,
                    "problems": [
                        {
                            "severity": "warning" if problem.is_warning else "failure",
                            "symptom": problem.symptom,
                            "seen": problem.seen,
                            "remedy": problem.remedy,
                        }
                        for problem in result.problems
                    ],
                }
                for result in run.results
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_junit(run: Run) -> str:
    """The run as JUnit XML: a test case a check; a warning passes and says so in its output."""
    counts = run.counts
    totals = {
        "tests": str(len(run.results)),
        "failures": str(counts[Status.FAILED]),
        "errors": "0",
        "skipped": str(counts[Status.UNCHECKED]),
        "time": f"{run.seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "smoke", **totals})
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": "smoke", **totals, "timestamp": run.started, "hostname": run.host}
    )
    for result in run.results:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": f"smoke.{run.host}", "name": result.name, "time": "0.000"}
        )
        failures = [problem for problem in result.problems if not problem.is_warning]
        if failures:
            symptoms = "; ".join(dict.fromkeys(problem.symptom for problem in failures))
            failure = ElementTree.SubElement(
                case, "failure", {"type": result.name, "message": _xml(symptoms)}
            )
            failure.text = _xml(_details(failures))
        if result.status is Status.UNCHECKED:
            ElementTree.SubElement(case, "skipped", {"message": _xml(result.summary)})
        warnings = [problem for problem in result.problems if problem.is_warning]
        output = ElementTree.SubElement(case, "system-out")
        output.text = _xml("\n".join([result.summary, *([_details(warnings)] if warnings else [])]))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _details(problems: Sequence[Problem]) -> str:
    return "\n".join(
        f"{problem.symptom}\n  seen: {problem.seen}\n  remedy: {problem.remedy}" for problem in problems
    )


def _xml(text: str) -> str:
    """Replace what XML cannot hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
