"""The compose project, as the role writes it."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import pytest
import yaml

from tests.golden.render import ROOT

ROLE = ROOT / "roles" / "asterisk_container"


def service(**changed: object) -> dict[str, Any]:
    """The service with the role's defaults but for what is changed."""
    variables = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["to_json"] = json.dumps
    template = environment.from_string((ROLE / "templates" / "compose.yml.j2").read_text(encoding="utf-8"))
    # What is written in Jinja, the limits, has a test of its own.
    plain = {name: 1 if "{{" in str(value) else value for name, value in variables.items()}
    text = template.render(
        **{**plain, **changed},
        recipe="",
        __asterisk_container_uid=15060,
        __asterisk_container_rtp_ports="10000-10100",
    )
    found: dict[str, Any] = yaml.safe_load(text)["services"]["asterisk"]
    return found


@pytest.mark.parametrize(("port", "expected"), [(0, []), (5062, ["0.0.0.0:5062:5062/udp"])])
def test_the_port_for_phones_of_its_own_networks_is_published_where_there_is_one(
    port: int, expected: list[str]
) -> None:
    ports = service(asterisk_container_local_sip_port=port)["ports"]
    assert [one for one in ports if ":5060:" not in one and ":10000-" not in one] == expected


def test_without_tcp_sip_is_published_over_udp_alone() -> None:
    sip = [port for port in service(asterisk_container_sip_tcp=False)["ports"] if ":5060:" in port]
    assert sip == ["0.0.0.0:5060:5060/udp"]
