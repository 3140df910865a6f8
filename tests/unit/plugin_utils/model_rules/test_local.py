"""Phones of the server's own networks: what the model may say, and what the configuration then holds."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.expected import required_objects
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.views import config_view
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.rules import check_model

from tests.unit.model_samples import SOUND

OFFICE = {"pbx_local_networks": ["192.168.1.0/24", "10.8.0.0/24"], "pbx_local_address": "192.168.1.5"}
TRUNK = SOUND["pbx_trunks"][0]


def faults(**changed: Any) -> list[str]:
    """The faults of a site with an office, with these variables replaced; None removes one."""
    model = {**SOUND, **OFFICE, **changed}
    report = check_model({key: value for key, value in model.items() if value is not None})
    return [str(fault) for fault in report.faults]


def test_an_office_beside_the_server_is_sound() -> None:
    assert faults() == []
    assert faults(pbx_local_sip_port=5080, pbx_local_networks=["192.168.1.5"]) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            {"pbx_local_address": None},
            "pbx_local_address: is missing, but there are pbx_local_networks",
            id="no address",
        ),
        pytest.param(
            {"pbx_local_networks": None},
            "pbx_local_networks: is missing, but pbx_local_address is 192.168.1.5",
            id="no networks",
        ),
        pytest.param(
            {"pbx_local_networks": []},
            "pbx_local_networks: is missing, but pbx_local_address is 192.168.1.5",
            id="no network",
        ),
        pytest.param(
            {"pbx_local_address": "192.168.2.5"},
            "pbx_local_address: 192.168.2.5 is in none of pbx_local_networks",
            id="address elsewhere",
        ),
        pytest.param(
            {"pbx_local_address": "192.168.1.0/24"},
            "pbx_local_address: '192.168.1.0/24' is not accepted. Write the server's own",
            id="network as address",
        ),
        pytest.param(
            {"pbx_local_address": SOUND["pbx_public_address"]},
            "pbx_local_address: 192.0.2.10 is pbx_public_address, too",
            id="public address",
        ),
        pytest.param(
            {"pbx_local_networks": ["192.168.1.0/24", "8.8.8.0/24"]},
            "pbx_local_networks: 8.8.8.0/24 is not a private network",
            id="public network",
        ),
        pytest.param(
            {"pbx_local_networks": ["0.0.0.0/0"]},
            "pbx_local_networks: 0.0.0.0/0 is not a private network",
            id="everybody",
        ),
        pytest.param(
            {"pbx_local_networks": ["192.168.1.5/24"]},
            "pbx_local_networks[0]: '192.168.1.5/24' is not accepted. It has host bits set",
            id="host bits",
        ),
        pytest.param(
            {"pbx_local_networks": ["192.168.1.0/24", "fd00::/64"]},
            "pbx_local_networks: fd00::/64 is IPv6",
            id="IPv6",
        ),
        pytest.param(
            {"pbx_trunks": [{**TRUNK, "identify_networks": ["192.168.1.16/30"]}]},
            "pbx_local_networks: 192.168.1.0/24 overlaps identify network 192.168.1.16/30 of",
            id="a carrier among the phones",
        ),
        pytest.param(
            {"pbx_local_sip_port": 5060}, "pbx_local_sip_port: 5060 is pbx_sip_port, too", id="SIP port"
        ),
        pytest.param(
            {"pbx_local_sip_port": 10010}, "pbx_local_sip_port: 10010 is one of pbx_rtp_ports", id="RTP port"
        ),
        pytest.param(
            {"pbx_local_adress": "192.168.1.5", "pbx_local_address": None},
            "pbx_local_adress: is unknown here. Did you mean pbx_local_address",
            id="misspelled",
        ),
    ],
)
def test_what_does_not_go_together_is_a_fault(changed: dict[str, Any], expected: str) -> None:
    assert [fault for fault in faults(**changed) if fault.startswith(expected)], faults(**changed)


def test_the_configuration_has_a_transport_of_their_own_only_where_there_are_such_phones() -> None:
    transport = {"type": "transport", "name": "transport-local"}
    model, _ = read_model(SOUND)
    assert config_view(model)["local"] is None
    assert transport not in required_objects(model)
    model, _ = read_model({**SOUND, **OFFICE})
    assert config_view(model)["local"] == {"address": "192.168.1.5", "sip_port": 5062}
    assert transport in required_objects(model)
