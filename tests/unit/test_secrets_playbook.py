"""`playbooks/secrets.yml`, and `ansible-vault` under this repository's ansible.cfg, as a user runs them."""

from __future__ import annotations

import os
import pty
import select
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.golden.render import ROOT

PASSWORD = "the vault's password"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The production inventory, without a vault."""
    inventory = tmp_path / "production"
    shutil.copytree(ROOT / "inventory" / "production", inventory, ignore=shutil.ignore_patterns("vault.yml*"))
    (inventory / "group_vars" / "pbx" / "wiring.yml").unlink()
    shutil.copy(ROOT / "inventory" / "wiring.yml", inventory / "group_vars" / "pbx" / "wiring.yml")
    (tmp_path / "password").write_text(PASSWORD)
    return inventory


def environment(site: Path, password: bool = True) -> dict[str, str]:
    """The environment of a run; with the vault password in a file unless told otherwise."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    given = {"ANSIBLE_VAULT_PASSWORD_FILE": str(site.parent / "password")} if password else {}
    return {**inherited, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000", **given}


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def run(site: Path, *arguments: str, password: bool = True) -> subprocess.CompletedProcess[str]:
    """Complete the vault of ``site``."""
    return subprocess.run(
        [program("ansible-playbook"), "playbooks/secrets.yml", f"--inventory={site}", *arguments],
        cwd=ROOT,
        env=environment(site, password),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def vault_of(site: Path) -> Path:
    return site / "group_vars" / "pbx" / "vault.yml"


def view(site: Path) -> str:
    """The vault, decrypted by Ansible itself."""
    return subprocess.run(
        [program("ansible-vault"), "view", str(vault_of(site))],
        cwd=ROOT,
        env=environment(site),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def on_terminal(site: Path, command: list[str], answers: list[str]) -> tuple[int, str]:
    """Run a program on a terminal of its own and type an answer after each prompt."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execve(command[0], command, environment(site, password=False))
    output = b""
    asked = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                read = os.read(terminal, 4096)
            except OSError:
                break
            if not read:
                break
            output += read
        elif output.count(b"password: ") > asked and answers:
            asked = output.count(b"password: ")
            os.write(terminal, answers.pop(0).encode() + b"\n")
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(terminal)
    return status, output.decode()


def test_vault_is_made_completed_and_then_left_alone(site: Path) -> None:
    done = run(site, "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    made = yaml.safe_load(view(site))["pbx_secrets"]
    assert made.keys() == {"100", "101", "twilio-na-us"}
    assert "made passwords for 100, 101, twilio-na-us" in done.stdout
    assert not [password for password in made.values() if password in done.stdout + done.stderr]
    assert stat.S_IMODE(vault_of(site).stat().st_mode) == 0o600
    assert vault_of(site).read_bytes().startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")

    before = vault_of(site).read_bytes()
    assert "changed=0" in run(site).stdout
    assert vault_of(site).read_bytes() == before

    model = vault_of(site).with_name("model.yml")
    line = '  - {number: "101", name: Agent 101, context: internal}\n'
    model.write_text(model.read_text().replace(line, line + line.replace("101", "103")))
    assert "made passwords for 103" in run(site).stdout
    completed = yaml.safe_load(view(site))["pbx_secrets"]
    assert {**completed, "103": None} == {**made, "103": None}


def test_check_mode_names_what_is_missing_and_writes_nothing(site: Path) -> None:
    done = run(site, "--check", "--diff")
    assert "would make passwords for 100, 101, twilio-na-us" in done.stdout
    assert not vault_of(site).exists()


def test_without_a_password_it_says_how_to_give_one(site: Path) -> None:
    done = run(site, password=False)
    assert done.returncode != 0
    assert "--ask-vault-pass (-J)" in done.stdout + done.stderr
    assert not vault_of(site).exists()


def test_passwords_in_the_clear_are_refused_with_the_remedy(site: Path) -> None:
    vault_of(site).write_text('pbx_secrets: {"100": canary-in-the-clear}\n')
    done = run(site, "-vvv")
    assert done.returncode != 0
    assert f"ansible-vault encrypt --ask-vault-pass {vault_of(site)}" in done.stdout + done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert vault_of(site).read_text() == 'pbx_secrets: {"100": canary-in-the-clear}\n'


@pytest.mark.parametrize(
    ("again", "made"),
    [pytest.param(PASSWORD, True, id="the-same"), pytest.param("a slip", False, id="another")],
)
def test_a_typed_password_for_a_new_vault_is_asked_twice(site: Path, again: str, made: bool) -> None:
    command = [
        program("ansible-playbook"),
        "playbooks/secrets.yml",
        f"--inventory={site}",
        "--ask-vault-pass",
    ]
    status, output = on_terminal(site, command, [PASSWORD, again])
    assert (status == 0) is made, output
    assert vault_of(site).exists() is made
    assert PASSWORD not in output
    if made:
        assert "pbx_secrets:" in view(site)
        assert on_terminal(site, command, [PASSWORD])[0] == 0, "an existing vault asks once"
    else:
        assert "The two vault passwords differ" in output


def test_ansible_vault_takes_the_users_password_never_the_labs(site: Path) -> None:
    path = vault_of(site)
    path.write_text("pbx_secrets: {}\n")
    command = [program("ansible-vault"), "encrypt", str(path)]
    unasked = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(site, password=False),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert unasked.returncode != 0
    assert path.read_text() == "pbx_secrets: {}\n"
    status, output = on_terminal(site, [*command, "--ask-vault-pass"], [PASSWORD, PASSWORD])
    assert status == 0, output
    assert path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")
    assert view(site) == "pbx_secrets: {}\n"
