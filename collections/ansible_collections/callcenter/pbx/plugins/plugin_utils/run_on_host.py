# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Run a function of this collection's ``module_utils`` on the host in one short round trip.

A module is packed on the controller and brings Ansible's own code along, which the host compiles anew
at every call: three times what reading a few files and sockets takes. What only reads, and needs the
standard library alone, goes without: its source is sent to the host's Python over the connection that
is open anyway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase

_PACKAGE = "ansible_collections.callcenter.pbx.plugins.module_utils"
_DIRECTORY = Path(__file__).parents[1] / "module_utils"
_MARK = "callcenter-reading:"
_IMPORT = re.compile(rf"^ *from {re.escape(_PACKAGE)}\.([\w.]+) import (\([^)]*\)|[^\n#]*)", re.MULTILINE)

_BOOTSTRAP = """
import importlib, importlib.util, json, sys

package, sources, entry, arguments, mark = json.loads({payload!r})
modules = {{package + "." + name: source for name, source in sources.items()}}
folders = {{name.rpartition(".")[0] for name in modules}} | {{package}}

class Sent:
    def find_spec(self, name, path, target=None):
        if name in modules or any((folder + ".").startswith(name + ".") for folder in folders):
            return importlib.util.spec_from_loader(name, self, is_package=name not in modules)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        if module.__name__ in modules:
            exec(compile(modules[module.__name__], module.__name__, "exec"), module.__dict__)

sys.meta_path.insert(0, Sent())
module, _, function = entry.rpartition(".")
result = getattr(importlib.import_module(package + "." + module), function)(**arguments)
print("\\n" + mark + json.dumps(result))
"""


def read_remotely(
    action: ActionBase, entry: str, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Call a reading function on the host and return the dictionary it returns.

    :param entry: ``<folder in module_utils>.<file>.<function>``
    :param arguments: its keyword arguments; nothing secret, and nothing JSON cannot hold
    :returns: None when that was not possible here (no fixed interpreter, no password for sudo, an old
        Python): the caller then runs its module, which says why in Ansible's words
    """
    interpreter = _interpreter(action, task_vars)
    if interpreter is None:
        return None
    script = _script(entry, arguments)
    # The standard library alone, which starts sooner and is nobody else's.
    done = action._low_level_execute_command(f"{interpreter} -I -S -", in_data=script.encode())
    if done["rc"] != 0:
        return None
    for line in reversed(done["stdout"].splitlines()):
        if line.startswith(_MARK):
            result: dict[str, Any] = json.loads(line.removeprefix(_MARK))
            return result
    return None


def _script(entry: str, arguments: Mapping[str, Any]) -> str:
    """The Python program that does it."""
    module = entry.rpartition(".")[0]
    payload = json.dumps([_PACKAGE, _sources(module), entry, dict(arguments), _MARK])
    return _BOOTSTRAP.format(payload=payload)


@cache
def _sources(module: str) -> dict[str, str]:
    """The source of a file in ``module_utils`` and of all that it imports from there, by name."""
    found: dict[str, str] = {}
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = _path(name).read_text(encoding="utf-8")
            wanted.extend(_imports(found[name]))
    return found


def _imports(source: str) -> Iterator[str]:
    """What a file imports from ``module_utils``; to parse it whole would take longer than asking."""
    for place, names in _IMPORT.findall(source):
        if _path(place).exists():
            yield place
        else:
            yield from (f"{place}.{name.split()[0]}" for name in names.strip("()").split(",") if name.strip())


def _path(module: str) -> Path:
    """Where a file in ``module_utils`` is, by its dotted name."""
    return _DIRECTORY.joinpath(*module.split(".")).with_suffix(".py")


def _interpreter(action: ActionBase, task_vars: Mapping[str, Any]) -> str | None:
    """The host's Python where it is given as a path; None where Ansible would have to search for it."""
    configured = task_vars.get("ansible_python_interpreter")
    if configured is None:
        configured = constants.config.get_config_value("INTERPRETER_PYTHON", variables=dict(task_vars))
    path = str(action._templar.template(configured))
    return path if path.startswith("/") else None
