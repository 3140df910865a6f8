"""The wiring, evaluated by Ansible for a site that says only what it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model

from tests.golden.render import ROOT
from tests.unit.model_samples import SECRETS, SOUND

WIRING = ROOT / "inventory" / "wiring.yml"
REQUIRED = ("pbx_public_address", "pbx_max_calls", "pbx_extensions", "pbx_trunks", "pbx_dids", "pbx_outbound")


def test_a_model_without_anything_optional_passes_the_preflight_and_can_be_wired(tmp_path: Path) -> None:
    variables = {key: SOUND[key] for key in REQUIRED} | {"pbx_secrets": SECRETS}
    trunk = {key: item for key, item in SOUND["pbx_trunks"][0].items() if key != "catch_all"}
    variables["pbx_trunks"] = [trunk]
    group_vars = tmp_path / "group_vars" / "pbx"
    group_vars.mkdir(parents=True)
    (group_vars / "model.yml").write_text(json.dumps(variables), encoding="utf-8")
    (group_vars / "wiring.yml").write_text(WIRING.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(
        "pbx: {hosts: {here: {ansible_connection: local}}}\n", encoding="utf-8"
    )
    names = [name for name in yaml.safe_load(WIRING.read_text(encoding="utf-8")) if name != "pbx_model"]
    output = tmp_path / "wired.json"
    # One variable a key: each is evaluated, and the first that cannot be is named.
    wired = {name: f"{{{{ {name} }}}}" for name in names}
    play = {
        "hosts": "pbx",
        "gather_facts": False,
        "vars": {"wired": wired},
        "tasks": [
            {"callcenter.pbx.preflight": {"model": "{{ pbx_model }}"}},
            {
                "delegate_to": "localhost",
                "ansible.builtin.copy": {
                    "content": "{{ wired | ansible.builtin.to_json }}",
                    "dest": str(output),
                    "mode": "0600",
                },
                "vars": {"ansible_python_interpreter": sys.executable},
            },
        ],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            f"--inventory={tmp_path / 'hosts.yml'}",
            str(tmp_path / "play.yml"),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(output.read_text(encoding="utf-8"))
    model, faults = read_model(variables)
    assert faults == []
    # What the wiring assumes is what the model's reader assumes.
    assert found["asterisk_config_sip_port"] == model.sip_port
    assert found["asterisk_config_local_sip_port"] == model.local.sip_port
    for name in ("asterisk_container", "asterisk_smoke", "sip_firewall"):
        assert found[f"{name}_local_sip_port"] == 0
    assert found["asterisk_config_rtp_ports"] == {
        "first": model.rtp_ports.first,
        "last": model.rtp_ports.last,
    }
    assert found["sip_firewall_blacklist"] == list(model.blacklist)
    assert found["sip_firewall_never_block"] == list(model.never_block)


@pytest.mark.parametrize("calls", [25, 230, 2500])
def test_the_containers_limits_follow_the_calls(calls: int) -> None:
    text = (ROOT / "roles" / "asterisk_container" / "defaults" / "main.yml").read_text(encoding="utf-8")
    limits = {
        name: str(jinja2.Template(str(value)).render(asterisk_container_max_calls=calls))
        for name, value in yaml.safe_load(text).items()
        if name.endswith("_limit")
    }
    # Seen with 230 calls: two threads and a bit, and six open files, a call.
    assert int(limits["asterisk_container_pids_limit"]) >= 200 + 3 * calls
    assert int(limits["asterisk_container_files_limit"]) >= 1000 + 10 * calls
    assert int(limits["asterisk_container_memory_limit"].removesuffix("m")) >= 512 + 2 * calls
