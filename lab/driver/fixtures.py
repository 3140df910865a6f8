"""What every scenario's tests stand on: the lab and who takes part in it, and a PBX that must be there.

A scenario's conftest.py takes from here what it needs.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator

import pytest
import testinfra
from testinfra.host import Host

from lab import engine
from lab.console import LabError
from lab.containers import refuse_foreign_lab
from lab.driver.parties import Parties, parties
from lab.driver.server import CONTAINER
from lab.paths import CACHE_DIR, FAILED_TESTS


@pytest.fixture(scope="session")
def server() -> Host:
    """The PBX's server, for assertions on files, services and commands."""
    return testinfra.get_host("docker://lab-pbx")


@pytest.fixture(scope="session", autouse=True)
def alone() -> Iterator[None]:
    """Two runs on one lab would hear each other's calls and call them faults of the PBX."""
    try:
        refuse_foreign_lab(engine.connect())
    except LabError as error:
        pytest.exit(f"These tests would run on another lab: {error}", returncode=1)
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    with (CACHE_DIR / "tests.lock").open("w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.exit("Another test run drives this lab: wait for it to end, then run again.", returncode=1)
        yield


@pytest.fixture(scope="session", autouse=True)
def deployed(alone: None, server: Host) -> None:
    """The suite proves a deployed PBX. Without one it fails; it never passes by having nothing to test."""
    state = server.run("docker inspect --format '{{.State.Running}}' %s", CONTAINER)
    if state.stdout.strip() != "true":
        pytest.exit(
            f"lab-pbx runs no {CONTAINER}: run `molecule converge` or `make up` first. {state.stderr}",
            returncode=1,
        )


@pytest.fixture(scope="session")
def lab(deployed: None) -> Iterator[Parties]:
    """Everybody who can speak SIP. Both phones are registered; they and the carrier's first POP answer."""
    with parties() as everybody:
        everybody.switch_on()
        yield everybody


@pytest.fixture
def answering_again(lab: Parties) -> Iterator[None]:
    """After the test, phones and POP answer every call again, whatever the test told them to do."""
    yield
    lab.answer_every_call()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Leave a line for each failed test, which `make test` repeats at its very end."""
    failed = [
        f"{report.nodeid}: {_reason(report)}"
        for outcome in ("failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    if failed:
        FAILED_TESTS.write_text("\n".join([*failed, ""]), encoding="utf-8")


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else report.longreprtext
    return text.strip().partition("\n")[0][:200]
