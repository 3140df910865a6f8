"""``make bench``: the project's budgets as ratios measured in one run, with the figures beside them.

Machines are shared and noisy, so nothing here passes or fails a test.
"""

from __future__ import annotations

from lab.bench import blacklist, deployment, thousand
from lab.bench.measure import HEADER
from lab.console import Console


def bench(console: Console) -> None:
    """Measure every budget and print the table.

    Raises:
        LabError: a measured command failed.
    """
    rows = [
        deployment.no_change(console),
        deployment.container_start(console),
        *blacklist.rows(console),
        *thousand.rows(console),
        deployment.first_call(console),
    ]
    print(HEADER)
    print("\n".join(map(str, rows)))
