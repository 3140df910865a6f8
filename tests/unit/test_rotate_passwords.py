"""`playbooks/rotate_passwords.yml` on two servers that are files: what it proves, undoes and survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.golden.render import ROOT
from tests.unit.model_samples import SOUND

PBX = Path("collections/ansible_collections/callcenter/pbx")
SECRET = VaultSecret(b"the vault's password")
TRUNK = "twilio-na-us"
FORMER = {"100": "canaryOne7Wm2Zr5nBx", "101": "canaryTwo4Jf9Qc6tVw", TRUNK: "canaryTrunk4Hq7Lz2Xv"}

# A server is a file with what was deployed last. Files beside it make one fail, or wait.
ROLE = """
- name: Reach the server
  ansible.builtin.ping:
- name: Deploy
  ansible.builtin.copy:
    content: "{{ {'secrets': asterisk_config_secrets, 'previous': previous} | to_json }}"
    dest: "{{ bench }}/server-{{ inventory_hostname }}"
    mode: "0600"
  vars: {previous: "{{ asterisk_config_secrets_previous }}"}
  no_log: true
- name: Wait
  ansible.builtin.wait_for: {path: "{{ bench }}/nowhere", timeout: 60}
  when: (bench ~ '/wait') is file
"""
PROOF = """
import json
from pathlib import Path
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        bench, host = Path(task_vars["bench"]), task_vars["inventory_hostname"]
        args, server = self._task.args, json.loads((bench / f"server-{host}").read_text())
        if "trunk" in args:
            wrong = server["secrets"][args["trunk"]] != args["password"]
            log = {"trunk": args["trunk"], "username": args["username"]}
        else:
            takes = lambda name, word: word in (server["secrets"].get(name), server["previous"].get(name))
            log = {kind: args[kind] for kind in ("accepted", "refused")}
            wrong = any(
                takes(name, word) is not (kind == "accepted")
                for kind, entries in log.items() for name, words in entries.items() for word in words
            )
        with (bench / "proofs").open("a") as stream:
            stream.write(json.dumps({"host": host, **log}) + "\\n")
        broken = bench / f"broken-{host}"
        wrong = wrong or broken.exists()
        broken.unlink(missing_ok=True)
        return {**result, "failed": wrong, "msg": "the proof failed" if wrong else "proven"}
"""


class Bench:
    """A checkout with the real playbook and vault, and stand-ins for what reaches a server."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        pbx = directory / PBX
        shutil.copytree(ROOT / PBX, pbx, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("password_proof", "trunk_proof"):
            (pbx / "plugins" / "action" / f"{name}.py").write_text(PROOF)
            (pbx / "plugins" / "modules" / f"{name}.py").write_text("")
        own = shutil.ignore_patterns("roles", "collections")
        shutil.copytree(ROOT / "playbooks", directory / "playbooks", ignore=own)
        playbook = directory / "playbooks" / "rotate_passwords.yml"
        playbook.write_text(playbook.read_text().replace("become: true", "become: false"))
        tasks = directory / "roles" / "asterisk_config" / "tasks"
        tasks.mkdir(parents=True)
        (tasks / "main.yml").write_text(ROLE)
        shutil.copy(ROOT / "ansible.cfg", directory)
        shutil.copytree(ROOT / "lab", directory / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        variables = {name: value for name, value in SOUND.items() if name != "pbx_secrets"}
        pbx_vars = directory / "site" / "group_vars" / "pbx"
        pbx_vars.mkdir(parents=True)
        (pbx_vars / "model.yml").write_text(json.dumps(variables))
        wiring = yaml.safe_load((ROOT / "inventory" / "wiring.yml").read_text())
        names = [name for name in wiring if name.startswith(("pbx_model", "__pbx", "asterisk_config"))]
        needed = {name: wiring[name] for name in names}
        extra = {**needed, "asterisk_config_container": "c", "bench": str(directory)}
        (pbx_vars / "wiring.yml").write_text(json.dumps(extra))
        self.vault = pbx_vars / "vault.yml"
        self.journal = pbx_vars / "vault.yml.rotation"
        self.write({"pbx_secrets": FORMER})
        self.hosts(one={}, two={})
        (directory / "password").write_bytes(SECRET.bytes)
        for host in ("one", "two"):
            self.server_file(host).write_text(json.dumps({"secrets": FORMER, "previous": {}}))

    def hosts(self, **hosts: dict[str, Any]) -> None:
        """Write the inventory; a host is this machine unless it says otherwise."""
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        group = {
            "hosts": {
                name: {**common, "pbx_public_address": f"192.0.2.{number}", **own}
                for number, (name, own) in enumerate(hosts.items(), 10)
            }
        }
        (self.directory / "site" / "hosts.yml").write_text(json.dumps({"pbx": group}))

    def write(self, variables: dict[str, Any]) -> None:
        """Edit the vault by hand."""
        self.vault.write_bytes(VaultLib([("default", SECRET)]).encrypt(yaml.safe_dump(variables)))

    def read(self) -> dict[str, dict[str, str]]:
        """What the vault says."""
        return dict(yaml.safe_load(VaultLib([("default", SECRET)]).decrypt(self.vault.read_bytes())))

    def server_file(self, host: str) -> Path:
        return self.directory / f"server-{host}"

    def server(self, host: str) -> dict[str, dict[str, str]]:
        """What a server has."""
        return dict(json.loads(self.server_file(host).read_text()))

    def proofs(self) -> list[dict[str, Any]]:
        """Every proof so far."""
        log = self.directory / "proofs"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the playbook."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                "playbooks/rotate_passwords.yml",
                "--inventory=site",
                *(f"-e{argument}" if "=" in argument else argument for argument in arguments),
            ],
            cwd=self.directory,
            env={
                **inherited,
                "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
                "ANSIBLE_VAULT_PASSWORD_FILE": str(self.directory / "password"),
                "COLUMNS": "1000",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the playbook at -vvv: exit status, and output with white space made one; no password in it."""
        process = self.start("-vvv", *arguments)
        output = process.communicate(timeout=240)[0]
        known = [FORMER, *self.read().values()]
        known += [entries for host in ("one", "two") for entries in self.server(host).values()]
        for password in {word for entries in known for word in entries.values()}:
            assert password not in output
        return process.returncode, " ".join(output.split())

    def assert_nothing_was_rotated(self) -> None:
        """Vault and servers have the former passwords, and nothing else."""
        assert self.read()["pbx_secrets"] == FORMER
        for host in ("one", "two"):
            assert self.server(host)["secrets"] == FORMER


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_rotation_reaches_vault_and_all_servers_and_is_proven(bench: Bench) -> None:
    status, output = bench.run("rotate=100,twilio-na-us")
    assert status == 0, output
    new = bench.read()["pbx_secrets"]
    assert new["101"] == FORMER["101"]
    assert new["100"] != FORMER["100"] and new[TRUNK] != FORMER[TRUNK]
    for host in ("one", "two"):
        assert bench.server(host)["secrets"] == new
    phones = [proof for proof in bench.proofs() if "accepted" in proof]
    assert sorted(proof["host"] for proof in phones) == ["one", "two"]
    assert all(proof["accepted"] == {"100": [new["100"]]} for proof in phones)
    assert all(proof["refused"] == {"100": [FORMER["100"]]} for proof in phones)
    trunks = [proof for proof in bench.proofs() if "trunk" in proof]
    assert [(proof["trunk"], proof["username"]) for proof in trunks] == [(TRUNK, "Admin")] * 2
    assert "100: the new password works, the old one is refused." in output
    assert not bench.journal.exists()


def test_a_server_with_other_phones_has_them_rotated_and_proven(bench: Bench) -> None:
    own = {"number": "200", "name": "Phone of one server", "context": "internal"}
    bench.hosts(one={}, two={"pbx_extensions": [*SOUND["pbx_extensions"], own]})
    variables = bench.read()
    former = {**variables["pbx_secrets"], "200": "canaryThree9Gk3Xd7y"}
    bench.write({**variables, "pbx_secrets": former})
    status, output = bench.run("rotate=extensions")
    assert status == 0, output
    assert "belongs to no extension" not in output
    new = bench.read()["pbx_secrets"]
    assert not {name for name in ("100", "101", "200") if new[name] == former[name]}
    proven = {proof["host"]: set(proof["accepted"]) for proof in bench.proofs()}
    assert proven == {"one": {"100", "101"}, "two": {"100", "101", "200"}}


def test_a_password_that_looks_like_a_template_is_one_like_any_other(bench: Bench) -> None:
    former = {**FORMER, "100": "wave{{ lookup('pipe', 'id') }}7Wm", "101": "hill{% if %}4Jf9Qc6{# x"}
    bench.write({"pbx_secrets": former})
    status, output = bench.run("rotate=100", "overlap=true")
    assert status == 0, output
    assert bench.server("one")["secrets"]["101"] == former["101"]
    assert bench.server("one")["previous"] == {"100": former["100"]}
    assert bench.proofs()[0]["accepted"]["100"][1] == former["100"]


@pytest.mark.parametrize("host", ["one", "two"])
def test_a_proof_that_fails_on_one_server_undoes_all(bench: Bench, host: str) -> None:
    (bench.directory / f"broken-{host}").touch()
    status, output = bench.run("rotate=extensions")
    assert status != 0
    bench.assert_nothing_was_rotated()
    assert not bench.journal.exists()
    assert "Nothing was rotated, and the vault is as before. So is this server." in output
    assert f"{host}: Prove which passwords the server accepts: the proof failed" in output
    assert bench.proofs()[-1]["accepted"] == {name: [FORMER[name]] for name in ("100", "101")}


NOWHERE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}


@pytest.mark.parametrize(
    "hosts",
    [
        pytest.param({"one": {}, "two": NOWHERE}, id="one-of-two"),
        pytest.param({"two": NOWHERE}, id="the-only-one"),
    ],
)
def test_a_server_that_cannot_be_reached_leaves_everything_as_it_was(
    bench: Bench, hosts: dict[str, dict[str, Any]]
) -> None:
    bench.hosts(**hosts)
    status, output = bench.run("rotate=100")
    assert status != 0
    bench.assert_nothing_was_rotated()
    assert "holds the former passwords of 100 again" in output


def test_a_killed_run_is_completed_by_the_next_and_keeps_others_away_while_it_lives(bench: Bench) -> None:
    (bench.directory / "wait").touch()
    hung = bench.start("rotate=100")
    deadline = time.monotonic() + 60
    while bench.server("one")["secrets"] == FORMER and time.monotonic() < deadline:
        time.sleep(0.1)
    status, output = bench.run("rotate=101")
    assert status != 0
    assert f"Another run, process {hung.pid}, is rotating passwords here" in output
    hung.send_signal(signal.SIGKILL)
    hung.communicate()
    (bench.directory / "wait").unlink()
    written = bench.read()["pbx_secrets"]
    assert written["100"] != FORMER["100"]
    assert bench.journal.exists()

    status, output = bench.run("rotate=100")
    assert status == 0, output
    assert "An earlier rotation was interrupted: what the vault holds for 100 is deployed first." in output
    assert bench.read()["pbx_secrets"] == written, "it was done, and is not rotated twice"
    assert [proof["accepted"] for proof in bench.proofs()] == [{"100": [written["100"]]}] * 2
    assert not bench.journal.exists()


def test_overlap_then_finish(bench: Bench) -> None:
    status, output = bench.run("rotate=all", "overlap=true")
    assert status == 0, output
    vault = bench.read()
    phones = ("100", "101")
    assert vault["pbx_secrets_previous"] == {name: FORMER[name] for name in phones}
    assert vault["pbx_secrets"][TRUNK] == FORMER[TRUNK]
    following = vault["pbx_secrets_next"][TRUNK]
    assert bench.proofs()[0]["accepted"] == {
        name: [vault["pbx_secrets"][name], FORMER[name]] for name in phones
    }

    status, output = bench.run("finish=true")
    assert status == 0, output
    finished = bench.read()
    assert finished["pbx_secrets"] == {**vault["pbx_secrets"], TRUNK: following}
    assert finished["pbx_secrets_previous"] == finished["pbx_secrets_next"] == {}
    assert bench.server("two") == {"secrets": finished["pbx_secrets"], "previous": {}}
    assert "Remove the old one at the carrier" in output
    assert "Nothing to finish" in bench.run("finish=true")[1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param((), "Nothing to rotate was named", id="nothing-named"),
        pytest.param(("rotate=109",), "rotate names '109', which has no password here", id="unknown"),
        pytest.param(("rotate=100", "--limit", "one"), "two would keep the old", id="not-all-servers"),
    ],
)
def test_a_request_that_makes_no_sense_touches_nothing(
    bench: Bench, arguments: tuple[str, ...], expected: str
) -> None:
    before = bench.vault.read_bytes()
    status, output = bench.run(*arguments)
    assert status != 0
    assert expected in output
    assert bench.vault.read_bytes() == before


def test_check_mode_names_and_writes_nothing(bench: Bench) -> None:
    before = bench.vault.read_bytes()
    status, output = bench.run("--check", "--diff", "rotate=100")
    assert status == 0, output
    assert "Would make new passwords for 100." in output
    assert bench.vault.read_bytes() == before
    assert not bench.journal.exists()
    assert bench.proofs() == []
