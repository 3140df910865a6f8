"""The rendered configuration, byte for byte, as a reviewer sees it."""

from __future__ import annotations

import pytest

from tests.golden.render import OVERLAP, SITES, golden, overlap, render


@pytest.mark.parametrize("site", SITES)
def test_rendered_configuration_is_the_golden_one(site: str) -> None:
    """After a wanted change: `python -m tests.golden.render`, then read the difference."""
    assert render(site) == golden(site)


def test_a_former_password_changes_these_files_and_no_other() -> None:
    assert overlap() == golden(OVERLAP)
