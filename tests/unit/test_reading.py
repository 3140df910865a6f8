"""Reading a host without a module: the same answer, in one command, and the module where that fails."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils import reading

ROOT = Path(__file__).parents[2]


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
    "entry", ["host_survey", "smoke_probe", "release_reading", "firewall_reading", "blocked_host"]
)
def test_what_is_sent_needs_nothing_but_the_standard_library(entry: str) -> None:
    program = reading._script(f"{entry}.no_such_function", {})
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-"], input=program, capture_output=True, text=True, check=False
    )
    # Everything was found and compiled; only the function is not there.
    assert "no attribute 'no_such_function'" in done.stderr


@pytest.mark.parametrize("path", sorted(reading._DIRECTORY.glob("*.py")), ids=lambda path: path.stem)
def test_whatever_a_file_imports_is_sent_with_it(path: Path) -> None:
    source, package = path.read_text(), reading._PACKAGE
    expected = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            module = f"{package}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            if module == package:
                expected += [alias.name for alias in node.names]
            elif module.startswith(f"{package}."):
                expected.append(module.removeprefix(f"{package}."))
    assert sorted(reading._imports(source)) == sorted(expected)
