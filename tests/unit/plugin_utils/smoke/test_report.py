"""What people and machines get to see of a run."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke import report
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import Problem, Result, Status

PASSED = Result("version", "version", Status.PASSED, "Asterisk 22.10.1", ())
FAILED = Result(
    "trunk-auths",
    "trunk auths",
    Status.FAILED,
    "none",
    (
        Problem("trunk a: no <auth>\x1b[0m", "Run site.yml.", "No auth ids & more"),
        Problem("trunk b: no auth", "Run site.yml.", "No auth ids & more"),
    ),
)
WARNED = Result(
    "log-activity", "log activity", Status.WARNING, "w" * 200, (Problem("seen", "remedy", "symptom", True),)
)
UNCHECKED = Result("dialling", "dialling", Status.UNCHECKED, "not checked: no container", ())


def run(*results: Result) -> report.Run:
    return report.Run("pbx", "192.0.2.10", "2026-01-02T03:04:05+00:00", 0.9, results)


ALL = run(PASSED, WARNED, FAILED, UNCHECKED)


def test_headline() -> None:
    assert report.headline(ALL) == (
        "4 smoke checks of pbx in 0.9 s: 1 passed, 1 warning, 1 failed, 1 unchecked (trunk auths)."
    )


def test_table_has_one_line_a_check_and_no_line_too_long() -> None:
    lines = report.table(ALL).splitlines()
    assert [line[:4] for line in lines] == ["ok  ", "WARN", "FAIL", "----"]
    assert max(map(len, lines)) <= report.WIDTH
    assert lines[0] == "ok    version                Asterisk 22.10.1"


def test_problems_with_one_remedy_are_shown_together_failures_first() -> None:
    assert report.problems(ALL).splitlines() == [
        "FAIL  trunk auths: No auth ids & more",
        "      seen    trunk a: no <auth>\x1b[0m",
        "              trunk b: no auth",
        "      remedy  Run site.yml.",
        "",
        "WARN  log activity: symptom",
        "      seen    seen",
        "      remedy  remedy",
    ]
    assert report.problems(run(PASSED)) == ""


def test_many_problems_are_cut_short() -> None:
    many = Result("a", "a", Status.FAILED, "", tuple(Problem(f"no {place}", "r", "s") for place in range(12)))
    assert report.problems(run(many)).splitlines()[-3:] == [
        "              no 9",
        "              2 more, see the reports",
        "      remedy  r",
    ]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([PASSED, WARNED], False, id="a warning is no failure"),
        pytest.param([PASSED, UNCHECKED], False, id="unchecked is none either"),
        pytest.param([PASSED, FAILED], True, id="failed"),
    ],
)
def test_failed(results: list[Result], expected: bool) -> None:
    assert run(*results).failed is expected


def test_json_has_stable_keys() -> None:
    found = json.loads(report.as_json(ALL))
    assert list(found) == ["schema", "host", "address", "started", "seconds", "status", "counts", "checks"]
    assert found["status"] == "failed"
    assert found["counts"] == {"passed": 1, "warning": 1, "failed": 1, "unchecked": 1}
    assert found["checks"][1]["problems"] == [
        {"severity": "warning", "symptom": "symptom", "seen": "seen", "remedy": "remedy"}
    ]
    assert {tuple(check) for check in found["checks"]} == {("name", "title", "status", "summary", "problems")}


def test_junit_is_what_ci_systems_read() -> None:
    root = ElementTree.fromstring(report.as_junit(ALL))
    suite = root[0]
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    totals = {"tests": "4", "failures": "1", "errors": "0", "skipped": "1", "time": "0.900"}
    assert suite.attrib == {
        "name": "smoke",
        **totals,
        "timestamp": "2026-01-02T03:04:05+00:00",
        "hostname": "pbx",
    }
    cases = {case.attrib["name"]: case for case in suite}
    assert [[part.tag for part in case] for case in cases.values()] == [
        ["system-out"],
        ["system-out"],
        ["failure", "system-out"],
        ["skipped", "system-out"],
    ]
    failure = cases["trunk-auths"][0]
    assert failure.attrib["message"] == "No auth ids & more"
    assert "no <auth>\N{REPLACEMENT CHARACTER}[0m" in (failure.text or "")
    assert {case.attrib["classname"] for case in suite} == {"smoke.pbx"}
