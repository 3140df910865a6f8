"""Which site and servers a run is about: a typing error is an error, and no server takes another along."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.golden.render import ROOT

PASSWORDS = {
    "100": "kY3vTq8Wm2Zr5nBx",
    "101": "pL7dHs4Jf9Qc6tVw",
    "200": "wQ8rZk7Vb6Nx4mJt",
    "twilio-na-us": "Fd9sJw4Hq7Lz2XvP",
}


def play(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        cwd=ROOT,
        env={
            **inherited,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "COLUMNS": "1000",
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def words(done: subprocess.CompletedProcess[str]) -> str:
    """All of the output, with every run of white space made one space."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the example, which has no vault."""
    copy = tmp_path / "office"
    shutil.copytree(ROOT / "inventory" / "production", copy)
    wiring = copy / "group_vars" / "pbx" / "wiring.yml"
    wiring.unlink()
    wiring.symlink_to(ROOT / "inventory" / "wiring.yml")
    return copy


PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml") if path.name != "servers.yml")


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_playbook_looks_for_servers_first(name: str) -> None:
    first = yaml.safe_load((ROOT / "playbooks" / name).read_text(encoding="utf-8"))[0]
    assert first["ansible.builtin.import_playbook"] == "servers.yml"


@pytest.mark.parametrize(
    "hosts", ["pbx: {hosts: {}}", "others: {hosts: {one: {}}}"], ids=["empty", "another-group"]
)
def test_a_site_without_a_server_is_an_error(site: Path, hosts: str) -> None:
    (site / "hosts.yml").write_text(hosts)
    done = play("playbooks/render.yml", "-i", str(site))
    assert done.returncode != 0
    assert f"There is no server in the group pbx of {site}: nothing was done." in words(done) or (
        "Could not match supplied host pattern" in done.stderr
    )


def test_an_inventory_that_is_not_there_is_an_error() -> None:
    done = play("site.yml", "-i", "inventory/prodution")
    assert done.returncode != 0
    assert "failed to parse inventory source" in words(done)


def test_a_limit_that_means_nobody_is_an_error() -> None:
    done = play("site.yml", "--limit", "callcentre")
    assert done.returncode != 0
    assert "callcentre" in words(done)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pbx_max_calls: 20\npbx_max_calls: 2\n", "more.yml:3:1: pbx_max_calls stands here a second time"),
        ("pbx_outbound: {trunk: a,\n  trunk: b}\n", "more.yml:3:3: trunk stands here a second time"),
        ("pbx_extensions: [\n", "more.yml:3:1: is no YAML: did not find expected node content"),
        (
            "pbx_max_calls: 20\n pbx_sip_port: 5060\n",
            "more.yml:3:14: is no YAML: mapping values are not allowed",
        ),
    ],
    ids=["the-same-key-twice", "twice-within", "left-open", "indented"],
)
def test_a_file_that_cannot_be_meant_is_named_with_its_line(site: Path, text: str, said: str) -> None:
    (site / "group_vars" / "pbx" / "more.yml").write_text(f"---\n{text}")
    done = play("playbooks/render.yml", "-i", str(site))
    assert done.returncode != 0
    assert f"{site}/group_vars/pbx/{said}" in words(done)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_vault_in_the_clear_is_refused_and_not_shown(site: Path, name: str) -> None:
    vault = site / "group_vars" / "pbx" / "vault.yml"
    vault.write_text(yaml.safe_dump({"pbx_secrets": PASSWORDS}))
    done = play(f"playbooks/{name}", "-i", str(site), "-e", "block=203.0.113.7", "-e", "rotate=101")
    assert done.returncode != 0
    assert f"{vault}: holds passwords that anybody who gets the file can read. Encrypt it" in words(done)
    assert not [password for password in PASSWORDS.values() if password in words(done)]


@pytest.mark.parametrize("given", ["wrong", None], ids=["wrong-password", "no-password"])
def test_a_vault_that_is_not_opened_is_named_with_the_remedy(
    site: Path, tmp_path: Path, given: str | None
) -> None:
    vault = site / "group_vars" / "pbx" / "vault.yml"
    cipher = VaultLib([("default", VaultSecret(b"right"))])
    vault.write_bytes(cipher.encrypt(yaml.safe_dump({"pbx_secrets": PASSWORDS})))
    environment = {}
    if given:
        (tmp_path / "key").write_text(given)
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(tmp_path / "key")
    done = play("playbooks/smoke.yml", "-i", str(site), environment=environment)
    assert done.returncode != 0
    assert str(vault) in words(done)
    assert "ANSIBLE_VAULT_PASSWORD_FILE" in words(done)


@pytest.fixture
def locked(site: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A site with a vault, and the environment that opens it."""
    cipher = VaultLib([("default", VaultSecret(b"right"))])
    vault = site / "group_vars" / "pbx" / "vault.yml"
    vault.write_bytes(cipher.encrypt(yaml.safe_dump({"pbx_secrets": PASSWORDS})))
    (tmp_path / "key").write_text("right")
    return site, {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "key")}


@pytest.mark.parametrize("arguments", [[], ["--start-at-task=Check the model"]], ids=["whole", "later"])
@pytest.mark.parametrize("name", ["ANSIBLE_DEBUG", "ANSIBLE_DISPLAY_ARGS_TO_STDOUT"])
def test_settings_that_print_passwords_are_refused_by_name(
    locked: tuple[Path, dict[str, str]], tmp_path: Path, name: str, arguments: list[str]
) -> None:
    site, environment = locked
    rendered = tmp_path / "rendered"
    done = play(
        "playbooks/render.yml",
        f"-i{site}",
        f"-easterisk_smoke_artifacts_dir={rendered}",
        *arguments,
        environment={**environment, name: "1"},
    )
    assert done.returncode != 0
    assert f"{name} would print passwords. Run without: -vvv shows" in words(done)
    assert not [password for password in PASSWORDS.values() if password in words(done)]
    assert not rendered.exists()


def test_settings_that_print_passwords_are_named_with_their_file(
    locked: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    site, environment = locked
    config = tmp_path / "ansible.cfg"
    config.write_text("[defaults]\ndisplay_args_to_stdout = true\ndebug = true\n")
    done = play(
        "playbooks/render.yml", f"-i{site}", environment={**environment, "ANSIBLE_CONFIG": str(config)}
    )
    assert done.returncode != 0
    assert f"debug in {config} and display_args_to_stdout in {config} would print passwords" in words(done)


@pytest.mark.parametrize("value", ["0", "false"])
def test_settings_that_are_switched_off_print_nothing(
    locked: tuple[Path, dict[str, str]], tmp_path: Path, value: str
) -> None:
    site, environment = locked
    quiet = {"ANSIBLE_DEBUG": value, "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": value}
    done = play(
        "playbooks/render.yml",
        f"-i{site}",
        f"-easterisk_smoke_artifacts_dir={tmp_path / 'rendered'}",
        environment={**environment, **quiet},
    )
    assert done.returncode == 0, words(done)


def test_servers_are_deployed_one_after_the_other() -> None:
    for name in ("host", "pbx"):
        deploy = yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text(encoding="utf-8"))[1]
        assert deploy["serial"] == 1


def two_servers(site: Path, **second: str) -> None:
    """Let the site have a second server, with one phone of its own."""
    (site / "hosts.yml").write_text("pbx: {hosts: {callcenter: {}, branch: {}}}\n")
    (site / "host_vars").mkdir()
    phone = {"number": "200", "name": "Branch", "context": "internal"}
    model = yaml.safe_load((site / "group_vars" / "pbx" / "model.yml").read_text(encoding="utf-8"))
    dids = [
        {"number": model["pbx_dids"][0]["number"], "destinations": {"from-twilio": {"extensions": ["200"]}}}
    ]
    trunks = [
        {**trunk, "catch_all": {"prefixes": ["+1"], "extensions": ["200"]}} for trunk in model["pbx_trunks"]
    ]
    own = {"pbx_extensions": [phone], "pbx_dids": dids, "pbx_trunks": trunks, **second}
    (site / "host_vars" / "branch.yml").write_text(yaml.safe_dump(own))


def test_servers_with_different_phones_get_all_their_passwords(site: Path, tmp_path: Path) -> None:
    two_servers(site, pbx_public_address="203.0.113.99")
    key = tmp_path / "key"
    key.write_text("of this test\n")
    done = play(
        "playbooks/secrets.yml", "-i", str(site), environment={"ANSIBLE_VAULT_PASSWORD_FILE": str(key)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made passwords for 100, 101, 200, twilio-na-us" in words(done)


def test_one_address_for_two_servers_is_a_fault(site: Path) -> None:
    two_servers(site)
    (site / "group_vars" / "pbx" / "secrets.yml").write_text(yaml.safe_dump({"pbx_secrets": PASSWORDS}))
    done = play("playbooks/render.yml", "-i", str(site))
    assert done.returncode != 0
    assert "is the address of branch, too. Give each server its own" in words(done)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make site` needs of the repository."""
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory", symlinks=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "inventory/production/group_vars/pbx/vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n")
    return tmp_path


def make(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make as from a shell: what a make above exports is not for this one."""
    above = ("INVENTORY", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "SITE")
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name not in above},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_site_has_all_but_a_vault(checkout: Path) -> None:
    done = make(checkout, "site", "SITE=branch-2")
    assert done.returncode == 0, done.stderr
    made = checkout / "inventory" / "branch-2"
    assert (made / "group_vars/pbx/wiring.yml").resolve() == checkout / "inventory" / "wiring.yml"
    assert (made / "group_vars/pbx/model.yml").is_file()
    assert not (made / "group_vars/pbx/vault.yml").exists()
    again = make(checkout, "site", "SITE=branch-2")
    assert again.returncode != 0
    assert "inventory/branch-2 is there already" in again.stderr


@pytest.mark.parametrize("name", ["lab", "production", "../x", "Branch"])
def test_a_new_site_needs_a_name_of_its_own(checkout: Path, name: str) -> None:
    done = make(checkout, "site", f"SITE={name}")
    assert done.returncode != 0
    assert "make site SITE=<name>" in done.stderr


@pytest.mark.parametrize("target", ["smoke", "registrations", "blocked", "render", "phones", "secrets"])
def test_a_typing_error_in_the_sites_name_lists_the_sites(checkout: Path, target: str) -> None:
    (checkout / "lab").mkdir()
    (checkout / "lab" / "make-venv").write_text("#!/bin/sh\n")
    (checkout / "lab" / "make-venv").chmod(0o755)
    done = make(checkout, target, "SITE=prodution")
    assert done.returncode != 0
    assert "There is no site prodution. There is: lab production." in done.stderr


def test_from_another_directory_it_works_and_says_what_is_missing(site: Path, tmp_path: Path) -> None:
    """As from a directory that everybody may write to, whose ansible.cfg Ansible leaves alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    vault = site / "group_vars" / "pbx" / "vault.yml"
    vault.write_bytes(
        VaultLib([("x", VaultSecret(b"key"))]).encrypt(yaml.safe_dump({"pbx_secrets": PASSWORDS}))
    )
    (tmp_path / "key").write_text("key")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(ROOT / "playbooks" / "render.yml"),
            f"-i{site}",
            f"-easterisk_smoke_artifacts_dir={tmp_path}",
            f"--vault-password-file={tmp_path / 'key'}",
        ],
        cwd=tmp_path,
        env={**inherited, "COLUMNS": "1000"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, words(done)
    assert (tmp_path / "rendered" / "pjsip.conf").is_file()
    assert f"{ROOT / 'ansible.cfg'} is not in use" in words(done)
    assert "is not in use" not in words(play("playbooks/render.yml", f"-i{site}"))
