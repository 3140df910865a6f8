"""Reading a host without a module: the same answer, in one command, and the module where that fails."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils import run_on_host

ROOT = Path(__file__).parents[3]


def survey(directory: Path, interpreter: str) -> tuple[dict[str, object], str]:
    """Survey this machine through Ansible; the result, and all that -vvv shows."""
    playbook = directory / "playbook.yml"
    tasks = [
        {
            "callcenter.pbx.host_state": {"packages": ["no-such-package"], "files": ["/etc/os-release"]},
            "register": "found",
        },
        {
            "ansible.builtin.copy": {
                "content": "{{ found | ansible.builtin.to_json }}",
                "dest": str(directory / "found"),
            }
        },
    ]
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(playbook),
            "--inventory=localhost,",
            "--connection=local",
            f"--extra-vars=ansible_python_interpreter={interpreter}",
            "-vvv",
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((directory / "found").read_text()), done.stdout


def test_the_short_way_says_what_the_module_says(tmp_path: Path) -> None:
    short, shown_short = survey(tmp_path, sys.executable)
    by_module, shown_by_module = survey(tmp_path, "python3")  # a name, which Ansible has to look up
    assert "AnsiballZ_host_state" not in shown_short
    assert "AnsiballZ_host_state" in shown_by_module
    assert short["state"] == by_module["state"]
    assert (short["changed"], by_module["changed"]) == (False, False)


@pytest.mark.parametrize(
    "entry", ["host.survey", "smoke.probe", "release.reading", "firewall.reading", "firewall.counters"]
)
def test_what_is_sent_needs_nothing_but_the_standard_library(entry: str) -> None:
    program = run_on_host._script(f"{entry}.no_such_function", {})
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-"], input=program, capture_output=True, text=True, check=False
    )
    # Everything was found and compiled; only the function is not there.
    assert "no attribute 'no_such_function'" in done.stderr


@pytest.mark.parametrize(
    "path",
    sorted(run_on_host._DIRECTORY.glob("*/*.py")),
    ids=lambda path: f"{path.parent.name}.{path.stem}",
)
def test_whatever_a_file_imports_is_sent_with_it(path: Path) -> None:
    source, package = path.read_text(), run_on_host._PACKAGE
    expected = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            place = (node.module or "").removeprefix(f"{package}.")
            expected += [place] if "." in place else [f"{place}.{alias.name}" for alias in node.names]
    assert sorted(run_on_host._imports(source)) == sorted(expected)
