"""The rendered configuration and phone sheets, byte for byte, as a reviewer sees them."""

from __future__ import annotations

import pytest

from tests.golden.render import (
    SHEET_SITE,
    SITES,
    VARIANTS,
    golden,
    golden_sheets,
    render,
    render_sheets,
    variant,
)


@pytest.mark.parametrize("site", SITES)
def test_rendered_configuration_is_the_golden_one(site: str) -> None:
    """After a wanted change: `python -m tests.golden.render`, then read the difference."""
    assert render(site) == golden(site)


def test_phone_sheets_are_the_golden_ones() -> None:
    """After a wanted change: `python -m tests.golden.render`, then look at the sheets in a browser."""
    assert render_sheets(SHEET_SITE) == golden_sheets()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_few_more_variables_change_these_files_and_no_other(name: str) -> None:
    """A former password, an office beside the server."""
    assert variant(name) == golden(name)
