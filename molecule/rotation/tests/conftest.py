"""The lab for the tests of passwords."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.driver.fixtures import (  # noqa: F401 - used by name
    alone,
    deployed,
    lab,
    pytest_terminal_summary,
    server,
)
from lab.driver.parties import Parties
from lab.driver.playbook import deploy
from lab.secrets import forget_rotation


@pytest.fixture(scope="session")
def answer_to(lab: Parties) -> Callable[[str, str], int]:  # noqa: F811 - the fixture above
    """How the PBX answers an extension's REGISTER with a password: 200, or 401.

    It is sent from a phone that is not in use and binds nothing (Expires: 0 for a contact that is not
    there), so the registrations of the real phones stay as they are.
    """

    def register(number: str, password: str) -> int:
        return lab.phone_102.register(number=number, password=password, expires=0)

    return register


@pytest.fixture(scope="module", autouse=True)
def no_rotation_under_way(lab: Parties) -> None:  # noqa: F811 - the fixture above
    """A test that failed half way through a rotation is one fault, not that of the tests after it."""
    if forget_rotation():
        deploy("site.yml")
