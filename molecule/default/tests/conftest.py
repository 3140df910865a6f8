"""The lab for every call test: who takes part, what was recorded, and a PBX that must be there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import testinfra
from testinfra.host import Host

from lab.driver.parties import Parties, parties
from lab.driver.server import CONTAINER


@pytest.fixture(scope="session")
def server() -> Host:
    """The PBX's server, for assertions on files, services and commands."""
    return testinfra.get_host("docker://lab-pbx")


@pytest.fixture(scope="session", autouse=True)
def deployed(server: Host) -> None:
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
