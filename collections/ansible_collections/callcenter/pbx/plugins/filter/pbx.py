"""Filters over the numbering model: derived views for templates, firewall and checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.callcenter.pbx.plugins.module_utils.host.readers import astray
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.escape import asterisk_value
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.expected import (
    dial_checks,
    required_objects,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.names import carrier_tcp_ports
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.views import (
    auth_view,
    config_view,
    inbound_proofs,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.addresses import (
    expected_networks,
    protected_networks,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.passwords import (
    previous_faults,
    secret_faults,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.rules import RULES


def _sound(variables: object) -> Model:
    """Return the model, or raise with all its faults: nothing is derived from a broken model.

    The blacklist is left out: nothing is derived from it, it can be long, and the preflight has checked it.
    """
    if isinstance(variables, Mapping):
        variables = {key: value for key, value in variables.items() if key != "pbx_blacklist"}
    model, faults = read_model(variables)
    faults += [fault for rule in RULES for fault in rule(model)]
    if faults:
        raise AnsibleFilterError(
            "the numbering model has faults:\n" + "\n".join(f"- {fault}" for fault in faults)
        )
    return model


def _escape(value: object) -> str:
    try:
        return asterisk_value(value)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(f"asterisk_value: {error}") from None


def _auth_objects(variables: object, secrets: Mapping[str, str]) -> list[dict[str, str]]:
    return auth_view(*_with_secrets(variables, secrets))


def _with_secrets(
    variables: object, secrets: Mapping[str, str]
) -> tuple[Model, Mapping[str, str], Mapping[str, str] | None]:
    """Return the model, its passwords and the former ones, or raise with what is wrong with them."""
    model = _sound(variables)
    previous = variables.get("pbx_secrets_previous") if isinstance(variables, Mapping) else None
    # Whether a password is weak is the preflight's business; here it only has to exist and be writable.
    missing = list(secret_faults(model, secrets, weak_allowed=True))
    missing += previous_faults(model, previous, secrets)
    if missing:
        raise AnsibleFilterError("passwords:\n" + "\n".join(f"- {fault}" for fault in missing))
    return model, secrets, previous


class FilterModule:
    """The filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "asterisk_value": _escape,
            "astray": astray,
            "pbx_auth_objects": _auth_objects,
            "pbx_inbound_proofs": lambda variables, secrets: inbound_proofs(
                *_with_secrets(variables, secrets)
            ),
            "pbx_config_view": lambda variables: config_view(_sound(variables)),
            "pbx_dial_checks": lambda variables: dial_checks(_sound(variables)),
            "pbx_protected_networks": lambda variables: [
                {"name": name, "network": network} for name, network in protected_networks(_sound(variables))
            ],
            "pbx_expected_networks": lambda variables: expected_networks(_sound(variables)),
            "pbx_carrier_tcp_ports": lambda variables: carrier_tcp_ports(_sound(variables)),
            "pbx_required_objects": lambda variables: required_objects(_sound(variables)),
        }
