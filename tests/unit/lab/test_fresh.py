"""What a scenario begins with is what the repository ships."""

from __future__ import annotations

import subprocess

from lab.fresh import EMPTY_BLACKLIST
from lab.paths import BLACKLIST, ROOT


def test_the_empty_block_list_is_the_shipped_one() -> None:
    shipped = subprocess.run(
        ["git", "show", f"HEAD:./{BLACKLIST.relative_to(ROOT)}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shipped.stdout == EMPTY_BLACKLIST
