"""What fraud is paid by: prefixes that are denied unless the site says otherwise.

Sources: the area codes of the North American Numbering Plan by country (NANPA), and the country codes of the
ITU (E.164) that no country has. Verify at every release.
"""

from __future__ import annotations

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import NORTH_AMERICA

_PREMIUM = ("900",)
_ISLANDS = ("242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876").split()
"""Countries of the Caribbean, and Bermuda: ten digits like any number at home, at another price."""

SATELLITE_AND_PREMIUM = ("+870", "+878", "+881", "+882", "+883", "+979")
"""Inmarsat, personal numbers, satellite and network operators, international premium rate."""


def costly_prefixes(country: str) -> list[str]:
    """Return the prefixes to deny at a site in the country with this code."""
    islands = [f"+{NORTH_AMERICA}{area}" for area in (*_PREMIUM, *_ISLANDS)]
    return [*(islands if country == NORTH_AMERICA else []), *SATELLITE_AND_PREMIUM]
