"""A rotation that fails before its proof leaves vault and server as they were, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from lab.driver.machine import DriverError
from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, run_playbook
from lab.driver.vault import passwords, vault_text
from lab.paths import VAULT

ROTATE_101 = ("playbooks/rotate_passwords.yml", "-e", "rotate=101")


@contextmanager
def refused_release(_lab: Parties) -> Iterator[tuple[str, ...]]:
    """Asterisk does not accept the configuration that goes with the new password."""
    yield ("-e", '{"asterisk_config_emergency_hook": ["NoSuchApplication(x)"]}')


@contextmanager
def silence(lab: Parties) -> Iterator[tuple[str, ...]]:
    """The proof gets no answer: the server drops what the controller sends to the PBX."""
    rule = ["DOCKER-USER", "-p", "udp", "-s", "198.18.0.1", "-m", "udp", "--dport", "5060", "-j", "DROP"]
    lab.server.run(["iptables", "-I", *rule])
    try:
        yield ()
    finally:
        lab.server.run(["iptables", "-D", *rule])


FAULTS = {
    "release-refused": (refused_release, "NoSuchApplication"),
    "proof-unanswered": (silence, "101"),
}


@dataclass(frozen=True)
class Failed:
    """A rotation that had to fail, and what the vault held before it."""

    result: PlaybookResult
    symptom: str
    text_before: str
    passwords_before: dict[str, str]
    release_before: str
    release_after: str


@pytest.fixture(scope="module", params=FAULTS.values(), ids=list(FAULTS))
def failed(request: pytest.FixtureRequest, lab: Parties) -> Failed:
    fault, symptom = request.param
    text, before, release = vault_text(), passwords(), lab.server.live_release()
    with fault(lab) as arguments:
        result = run_playbook(*ROTATE_101, *arguments)
    if result.exit_code == 0:
        raise DriverError(f"the rotation did not fail: {result.output}")
    return Failed(result, symptom, text, before, release, lab.server.live_release())


def test_says_what_failed_and_that_nothing_was_rotated(failed: Failed) -> None:
    assert "Nothing was rotated, and the vault is as before." in failed.result.words
    assert failed.symptom in failed.result.words


def test_vault_reads_as_before(failed: Failed) -> None:
    assert vault_text() == failed.text_before
    assert not VAULT.with_name("vault.yml.rotation").exists()


def test_phone_is_accepted_with_its_former_password(
    failed: Failed, answer_to: Callable[[str, str], int]
) -> None:
    assert answer_to("101", failed.passwords_before["101"]) == 200


def test_next_run_finds_nothing_to_do(failed: Failed) -> None:
    again = run_playbook("site.yml")
    assert again.exit_code == 0, again.output
    assert again.changed == 0, again.output
