# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Settings of Ansible's that print the arguments of tasks, passwords too, whatever a module says about them.

Asked by what every playbook begins with, and again where passwords are read, for runs that begin later.
"""

from __future__ import annotations

from ansible import constants as C

LOUD = ("DEFAULT_DEBUG", "DISPLAY_ARGS_TO_STDOUT")


class LoudSettingError(Exception):
    """Passwords would be printed; the text names the setting and the remedy."""


def refuse_loud_settings() -> None:
    """Do nothing unless passwords would be printed.

    :raises LoudSettingError: they would be
    """
    found = []
    for name in LOUD:
        value, origin = C.config.get_config_value_and_origin(name)
        if value:
            found.append(_spell(name, str(origin)))
    if found:
        raise LoudSettingError(
            f"{' and '.join(found)} would print passwords. Run without: -vvv shows what tasks do, and no "
            "password"
        )


def _spell(name: str, origin: str) -> str:
    """Name a setting as it was set: a variable of the environment, or a line of a file."""
    kind, _, variable = origin.partition(": ")
    if kind == "env":
        return variable
    return f"{C.config.get_configuration_definitions()[name]['ini'][0]['key']} in {origin}"
