"""Logs on the site's own clock: the jails read them right. However fast a log grows, its size has a bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lab.driver.attacks import offend
from lab.driver.parties import Parties
from lab.driver.playbook import deploy, redeployed

LOGS = "/opt/callcenter/logs"
MEGABYTES = 100
"""A log that is longer is cut within a minute or two."""


@pytest.fixture
def kolkata(lab: Parties, limits: dict[str, int]) -> Iterator[None]:
    """The site's clock is five and a half hours ahead of the server's."""
    with redeployed("playbooks/pbx.yml", {**limits, "pbx_time_zone": "Asia/Kolkata"}, limits):
        yield
    lab.server.wait_until_healthy()


@pytest.mark.usefixtures("kolkata")
def test_a_ban_comes_when_the_site_has_a_clock_of_its_own(lab: Parties) -> None:
    lab.server.wait_until_healthy()
    mark = lab.server.log_size()
    assert offend(lab.scanner.machine, lab.pbx, "guess").was_cut_off
    lab.server.wait_until(lambda: lab.scanner.machine.address in lab.server.banned(), "the scanner is banned")
    stamp = re.search(r"^\[(\S+ \S+ [+]0530)\]", lab.server.log_since(mark), re.MULTILINE)
    assert stamp, "the log is not on the site's clock"
    written = datetime.strptime(stamp[1], "%Y-%m-%d %H:%M:%S %z")
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=10)
    lab.server.run(["fail2ban-client", "unban", "--all"])
    deploy("playbooks/smoke.yml")


@pytest.fixture
def looks_often(lab: Parties) -> Iterator[None]:
    """The server looks at the length of its logs every three seconds, where sites have a minute."""
    with lab.server.hurried("callcenter-logs.timer"):
        yield


@pytest.mark.parametrize("name", ["messages", "notices", "security"])
def test_a_log_that_grows_fast_is_cut(lab: Parties, looks_often: None, name: str) -> None:
    path = f"{LOGS}/{name}"
    # What a flood of some minutes writes. The owner stays the one who writes it.
    grow = f"yes 'a line of a flood' | head -c {MEGABYTES * 1_200_000} >> {path}"
    grown = lab.server.run(["sh", "-c", f"{grow}; stat -c %s {path} {path}.1; true"], 120)
    assert max(int(size) for size in grown.split()) > MEGABYTES * 1_048_576

    def size() -> str:
        return lab.server.run(["stat", "-c", "%s", path]).strip()

    lab.server.wait_until(lambda: 0 < len(size()) < len("10000000"), f"{name} is cut", 240)
    mark = lab.server.log_size()
    lab.phone_102.register(expires=0)
    lab.server.wait_until(lambda: lab.server.log_size() != mark, "Asterisk goes on writing")
    lab.server.run(["sh", "-c", f"rm -f {path}.[0-9]*"])
