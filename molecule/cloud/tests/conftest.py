"""The lab with its server in a cloud."""

from lab.driver.fixtures import (  # noqa: F401 - used by name
    alone,
    deployed,
    lab,
    pytest_terminal_summary,
    server,
)
