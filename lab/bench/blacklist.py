"""Budgets of the block list: how fast it loads, and that no packet notices its length."""

from __future__ import annotations

import random
import re
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lab.bench.measure import ROUNDS, Row, medians, on_server, ping, play, timed
from lab.console import Console
from lab.driver.machine import Machine
from lab.hosts import PBX, POP_ASHBURN

SIZES = (1_000, 10_000, 100_000)
_PLAYBOOK = "playbooks/blacklist.yml"
_LOOPED = 100
_LINEAR = 10_000
_CHAIN = "CALLCENTER-BENCH"
_EXCHANGES = 2_000

# From a carrier, which is answered at once and never banned. Prints microseconds an exchange.
_ASK = """
import socket, sys, time
host, count = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
    channel.bind(("", 5999))
    channel.connect((host, 5060))
    channel.settimeout(2)
    def ask(number):
        channel.send((
            f"OPTIONS sip:{host} SIP/2.0\\r\\nVia: SIP/2.0/UDP {channel.getsockname()[0]}:5999;"
            f"branch=z9hG4bK-bench-{time.time_ns()}-{number};rport\\r\\nMax-Forwards: 70\\r\\n"
            f"From: <sip:bench@{host}>;tag={number}\\r\\nTo: <sip:{host}>\\r\\n"
            f"Call-ID: bench-{time.time_ns()}-{number}\\r\\nCSeq: 1 OPTIONS\\r\\n"
            "Content-Length: 0\\r\\n\\r\\n"
        ).encode())
        channel.recv(65535)
    ask(0)
    begun = time.monotonic()
    for number in range(1, count + 1):
        ask(number)
    print((time.monotonic() - begun) / count * 1e6)
"""


def rows(console: Console) -> list[Row]:
    """Measure all of it; the inventory's own list is in force again afterwards.

    Raises:
        LabError: a measured command failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return [
                *_loads(console, Path(scratch)),
                *_unchanged(console, Path(scratch)),
                *_packets(console, Path(scratch)),
            ]
        finally:
            play(_PLAYBOOK)


def addresses(count: int, seed: int) -> list[str]:
    """Distinct addresses, none of them reserved: 24.0.0.0/5."""
    numbers = random.Random(seed).sample(range(24 << 24, 32 << 24), count)
    return [".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0)) for number in numbers]


def _list(scratch: Path, count: int, seed: int = 0) -> dict[str, object]:
    """The variables that put a list of so many addresses into force."""
    path = scratch / f"{count}-{seed}.txt"
    if not path.exists():
        path.write_text("\n".join(addresses(count, seed)) + "\n")
    return {"sip_firewall_blacklist_files": [str(path)]}


def _loads(console: Console, scratch: Path) -> Iterator[Row]:
    """Loading lists, each time another one, against a ping play, and against one rule a task."""
    what, against = "load of {:,} addresses by the playbook", "one-task `ping` play"
    for size in SIZES:
        console.say(f"Loading {size} addresses against a one-task ping play, {ROUNDS} rounds in turn")
        lists = [_list(scratch, size, seed) for seed in range(ROUNDS)]
        pairs = [(timed(partial(play, _PLAYBOOK, one)), timed(ping)) for one in lists]
        seconds, base = medians(pairs)
        yield Row(what.format(size), against, seconds, base, 3, _memory())
    console.say(f"A loop of ansible.builtin.iptables over {_LOOPED} addresses")
    one_by_one = base + (_looped(scratch) - base) / _LOOPED * size
    against = f"a loop of `ansible.builtin.iptables`, extrapolated from {_LOOPED}"
    yield Row(what.format(size), against, seconds, one_by_one, 0.01)


def _memory() -> str:
    """The kernel's memory for the sets, as a note."""
    text = on_server("ipset list -terse sip-blacklist-v4; ipset list -terse sip-blacklist-v6")
    size = sum(int(number) for number in re.findall(r"^Size in memory: (\d+)", text, re.MULTILINE))
    return f", sets of {size / 1024:.0f} KiB"


def _looped(scratch: Path) -> float:
    """Seconds of a play that adds one rule a task, as is usual."""
    playbook = scratch / "loop.yml"
    playbook.write_text(
        "- hosts: pbx\n  gather_facts: false\n  become: true\n  tasks:\n"
        f"    - ansible.builtin.iptables: {{chain: {_CHAIN}, source: '{{{{ item }}}}', jump: DROP}}\n"
        "      loop: '{{ addresses }}'\n"
    )
    on_server(f"iptables -w -N {_CHAIN}")
    try:
        return timed(lambda: play(str(playbook), {"addresses": addresses(_LOOPED, 0)}))
    finally:
        on_server(f"iptables -w -F {_CHAIN}; iptables -w -X {_CHAIN}")


def _unchanged(console: Console, scratch: Path) -> Iterator[Row]:
    """The playbook with an unchanged long list, against the playbook with no list."""
    size = SIZES[-1]
    console.say(f"An unchanged list of {size} addresses against none, {ROUNDS} rounds each")
    play(_PLAYBOOK, _list(scratch, size))
    long = [timed(lambda: play(_PLAYBOOK, _list(scratch, size))) for _ in range(ROUNDS)]
    play(_PLAYBOOK)
    none = [timed(lambda: play(_PLAYBOOK)) for _ in range(ROUNDS)]
    yield Row(
        f"unchanged list of {size:,} addresses",
        "no list",
        statistics.median(long),
        statistics.median(none),
        1.1,
    )


def _packets(console: Console, scratch: Path) -> Iterator[Row]:
    """Two packets through the published port: with a long list, with none, with linear rules."""
    pop = Machine(POP_ASHBURN)
    size = SIZES[-1]
    console.say(f"{_EXCHANGES} requests through the published port, {ROUNDS} rounds in turn")
    listed, none, linear = [], [], []
    for _ in range(ROUNDS):
        play(_PLAYBOOK)
        none.append(_exchange(pop))
        with _linear_rules(addresses(_LINEAR, 0)):
            linear.append(_exchange(pop))
        play(_PLAYBOOK, _list(scratch, size))
        listed.append(_exchange(pop))
    middle = statistics.median(listed)
    what = f"request and answer through the published port, {size:,} addresses"
    yield Row(what, "no list", middle, statistics.median(none), 1.05, unit="µs")
    yield Row(what, f"{_LINEAR:,} rules, one an address", middle, statistics.median(linear), 1, unit="µs")


def _exchange(pop: Machine) -> float:
    """Microseconds from a request to its answer, the mean of many."""
    return float(pop.run(["python3", "-c", _ASK, PBX.address, str(_EXCHANGES)], 120))


@contextmanager
def _linear_rules(sources: Sequence[str]) -> Iterator[None]:
    """Rules that each drop one address stand before everything, for the time of a with block."""
    rules = [f"-A {_CHAIN} -s {source} -j DROP" for source in sources]
    lines = ["*filter", f":{_CHAIN} - [0:0]", *rules, f"-I DOCKER-USER 1 -j {_CHAIN}", "COMMIT", ""]
    on_server("iptables-restore -w --noflush", "\n".join(lines))
    try:
        yield
    finally:
        on_server(f"iptables -w -D DOCKER-USER -j {_CHAIN}; iptables -w -F {_CHAIN}; iptables -w -X {_CHAIN}")
