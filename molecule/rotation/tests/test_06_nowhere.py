"""Canary passwords are planted, deployed and rotated away, and looked for wherever one could leak."""

from __future__ import annotations

import os
import re
import secrets
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, run_playbook
from lab.driver.vault import edit_vault, passwords
from lab.paths import ROOT

# Shown at the highest verbosity a person would ever ask for help with.
LOUD = ("-vvv", "--diff")
# What is in one of the process lists for certain proves that the watch sees them.
IN_EVERY_LIST = ("/usr/sbin/dockerd", "playbooks/phones.yml")
SERVER_PLACES = (
    "/etc /home /opt /root /run /srv /tmp /usr/local /var/cache /var/lib/callcenter* /var/log /var/mail "
    "/var/spool /var/tmp"
)
# Every process's arguments and environment, on the server and in its containers.
ALL_PROCESSES = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"


class Watch(threading.Thread):
    """Looks for texts in the process lists of the server and of this machine, again and again."""

    def __init__(self, lab: Parties, texts: list[str]) -> None:
        super().__init__(daemon=True)
        self._lab = lab
        self._texts = texts
        self._over = threading.Event()
        self.looks = 0
        self.found: set[str] = set()

    def run(self) -> None:
        while not self._over.is_set():
            for where, seen in (("server", self._server()), ("controller", self._controller())):
                self.found |= {f"{where}: {text}" for text in self._texts if text in seen}
            self.looks += 1

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _server(self) -> str:
        return self._lab.server.run(["sh", "-c", ALL_PROCESSES])

    def _controller(self) -> str:
        seen = b""
        for entry in Path("/proc").iterdir():
            # Processes end while we look. Ours may know: it planted them.
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                for name in ("cmdline", "environ"):
                    try:
                        seen += (entry / name).read_bytes()
                    except OSError:
                        continue
        return seen.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def canaries() -> list[str]:
    """New passwords for everybody, each with a mark to look for, edited into the vault."""
    replacements = {old: f"canary-{secrets.token_hex(12)}" for old in passwords().values()}
    edit_vault(replacements)
    return list(replacements.values())


@pytest.fixture(scope="module")
def runs(lab: Parties, canaries: list[str]) -> Iterator[tuple[Watch, list[PlaybookResult]]]:
    """They are deployed, checked, written down for the phones, and rotated away, all of it watched."""
    watch = Watch(lab, [*canaries, *IN_EVERY_LIST])
    watch.start()
    results = [
        run_playbook("site.yml", "--check", *LOUD),
        run_playbook("site.yml", *LOUD),
        run_playbook("playbooks/status.yml", *LOUD),
        run_playbook("playbooks/phones.yml", *LOUD),
        run_playbook("playbooks/rotate_passwords.yml", "-e", "rotate=101", "-e", "overlap=true", *LOUD),
        run_playbook("playbooks/rotate_passwords.yml", "-e", "rotate=101", "-e", "finish=true", *LOUD),
        run_playbook("playbooks/rotate_passwords.yml", "-e", "rotate=100", *LOUD),
        run_playbook("site.yml", "-e", '{"asterisk_config_emergency_hook": ["NoSuchApplication(x)"]}', *LOUD),
    ]
    watch.stop()
    yield watch, results


def test_runs_did_what_they_should(runs: tuple[Watch, list[PlaybookResult]]) -> None:
    assert [bool(result.exit_code) for result in runs[1]] == [False] * 7 + [True], runs[1]


def test_console_shows_none(runs: tuple[Watch, list[PlaybookResult]], canaries: list[str]) -> None:
    shown = [text for text in canaries for result in runs[1] if text in result.output]
    assert shown == []


def test_no_process_list_or_environment_shows_one(
    runs: tuple[Watch, list[PlaybookResult]], canaries: list[str]
) -> None:
    watch, _results = runs
    assert watch.looks > 20
    # The engine there and the playbook here were seen, so a password would have been.
    assert {"server: /usr/sbin/dockerd", "controller: playbooks/phones.yml"} <= watch.found
    assert [found for found in watch.found if found.endswith(tuple(canaries))] == []


def test_engine_on_the_server_knows_none(
    runs: tuple[Watch, list[PlaybookResult]], canaries: list[str], lab: Parties
) -> None:
    containers = lab.server.run(
        ["sh", "-c", "docker ps -aq | xargs docker inspect; docker images -q | xargs docker inspect"]
    )
    logged = lab.server.run(["sh", "-c", "docker logs callcenter-asterisk 2>&1; journalctl --no-pager -q"])
    assert "callcenter-asterisk" in containers
    assert [text for text in canaries if text in containers + logged] == []


def test_only_root_and_asterisk_can_read_a_file_with_one_on_the_server(
    runs: tuple[Watch, list[PlaybookResult]], canaries: list[str], lab: Parties
) -> None:
    pattern = "\n".join(canaries)
    search = f"grep -rlFs --devices=skip -f - {SERVER_PLACES} | xargs -r stat -c '%a %u:%g %n'"
    found = lab.server.run(["sh", "-c", f"echo '{pattern}' | {search}"]).splitlines()
    # What the carrier challenges must be plain; nothing else is.
    readable = [
        line for line in found if not line.startswith("640 0:15060 /opt/callcenter/docker/asterisk/releases/")
    ]
    assert found, "the search found not even the trunk's password"
    assert readable == []


def test_no_file_on_the_controller_shows_one(
    runs: tuple[Watch, list[PlaybookResult]], canaries: list[str]
) -> None:
    places = [
        ROOT / name for name in (".cache", "artifacts", "inventory", "collections", "roles", "playbooks")
    ]
    places += [Path.home() / ".ansible", Path("/tmp")]
    with tempfile.NamedTemporaryFile("w") as planted:  # proves that the search finds
        planted.write(canaries[0])
        planted.flush()
        done = subprocess.run(
            ["grep", "-rlFs", "--devices=skip", "-f", "-", *map(str, filter(Path.exists, places))],
            input="\n".join(canaries),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.splitlines() == [planted.name]


def test_sheets_which_show_them_are_the_owners_alone(
    runs: tuple[Watch, list[PlaybookResult]], canaries: list[str]
) -> None:
    sheets = list((ROOT / "artifacts/lab/lab-pbx/phones").glob("*.html"))
    # Written in groups of characters, each an element of its own.
    texts = [re.sub("<[^>]*>", "", sheet.read_text()) for sheet in sheets]
    assert any(canary in text for canary in canaries for text in texts)
    assert {stat.S_IMODE(sheet.stat().st_mode) for sheet in sheets} == {0o600}
