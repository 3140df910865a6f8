"""The lab for every call test."""

from lab.driver.fixtures import (  # noqa: F401 - used by name
    alone,
    answering_again,
    deployed,
    lab,
    pytest_terminal_summary,
    server,
)
