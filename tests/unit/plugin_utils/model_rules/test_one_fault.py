"""One broken value in the model gives one fault, which names it, and silences nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.rules import check_model

from tests.golden.render import ROOT
from tests.unit.model_samples import REMOVED, SECRETS, SOUND, broken

Path = tuple[Any, ...]

GROUP_VARS = ROOT / "inventory" / "production" / "group_vars" / "pbx"
PRODUCTION: dict[str, Any] = {
    **yaml.safe_load((GROUP_VARS / "model.yml").read_text(encoding="utf-8")),
    **yaml.safe_load((GROUP_VARS / "blacklist.yml").read_text(encoding="utf-8")),
    "pbx_secrets": SECRETS,
    "pbx_blacklist": ["203.0.113.7", {"address": "203.0.113.8", "reason": "guessed passwords"}],
    "pbx_never_block": ["198.51.100.0/24"],
    "pbx_dns_servers": ["198.51.100.53"],
    "pbx_time_zone": "America/New_York",
}


def _paths(value: Any, path: Path = ()) -> list[Path]:
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = []
    for key, item in items:
        if key != "pbx_secrets":
            found += [(*path, key), *_paths(item, (*path, key))]
    return found


PATHS = _paths(PRODUCTION)


def _name(path: Path) -> str:
    """The path as messages write it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _at(path: Path) -> Any:
    value: Any = PRODUCTION
    for step in path:
        value = value[step]
    return value


def _spoilt(path: Path, value: Any) -> list[Fault]:
    model = copy.deepcopy(PRODUCTION)
    place: Any = model
    for step in path[:-1]:
        place = place[step]
    if value is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return list(check_model(model).faults)


def test_the_example_is_sound() -> None:
    assert check_model(PRODUCTION).faults == ()


@pytest.mark.parametrize("path", PATHS, ids=_name)
def test_nothing_in_place_of_a_value_is_one_fault(path: Path) -> None:
    faults = _spoilt(path, None)
    if path[0] in ("pbx_extensions", "pbx_trunks", "pbx_dids") and len(path) == 2:
        # A whole item is gone: what refers to it says so.
        faults = [fault for fault in faults if "[" in fault.variable]
    assert [fault.variable for fault in faults] == [_name(path)]


def _wrong(value: Any) -> list[Any]:
    """Values of another type than ``value`` has."""
    kinds: list[Any] = ["text", [["list"]], {"key": "value"}, True, 1.5]
    if isinstance(value, dict):
        return [kind for kind in kinds if not isinstance(kind, dict)]
    return [kind for kind in kinds if type(kind) is not type(value)]


@pytest.mark.parametrize("path", PATHS, ids=_name)
def test_a_value_of_another_type_is_one_fault(path: Path) -> None:
    old = _at(path)
    for value in _wrong(old):
        if isinstance(value, list) and (isinstance(old, list) or path == ("pbx_outbound", "trunk")):
            continue
        is_address = path[0] == "pbx_blacklist" and len(path) == 2
        if is_address and isinstance(value, dict | str) and not isinstance(old, dict | list):
            continue
        if is_address and isinstance(value, str):
            continue
        faults = _spoilt(path, value)
        assert [fault.variable for fault in faults] == [_name(path)], (value, faults)


MAY_BE_EMPTY = {
    "contacts",
    "identify_networks",
    "dial_options",
    "allowed_prefixes",
    "denied_prefixes",
    "abroad_prefixes",
    "numbers",
    "test_numbers",
    "reason",
    "emergency",
    "pbx_blacklist",
    "pbx_dids",
    "pbx_blacklist_files",
    "pbx_blacklist_urls",
    "pbx_never_block",
    "pbx_dns_servers",
    "pbx_time_zone",
}
"""What may be empty, since it may be absent, or none at all."""


@pytest.mark.parametrize("path", PATHS, ids=_name)
def test_an_empty_value_is_a_fault_that_names_it_or_what_it_lacks(path: Path) -> None:
    old = _at(path)
    if not isinstance(old, str | list | dict):
        return
    faults = _spoilt(path, type(old)())
    assert faults or path[-1] in MAY_BE_EMPTY
    if path[-1] in ("pbx_extensions", "pbx_trunks", "pbx_dids"):
        # What refers to them is at a loss.
        assert all(
            any(
                words in str(fault)
                for words in ("exist", "is no trunk", "no call arrives", "is no number of")
            )
            for fault in faults
        ), faults
        return
    if path[-1] == "destinations" or not isinstance(old, dict):
        assert len(faults) <= 1, faults
    assert all(fault.variable.startswith(_name(path)) for fault in faults), faults


OPTIONAL = MAY_BE_EMPTY | {
    "pbx_sip_port",
    "pbx_rtp_ports",
    "pbx_allow_weak_passwords",
    "name",
    "codecs",
    "qualify_seconds",
    "catch_all",
    "ring_seconds",
    "max_call_seconds",
    "max_calls",
    "max_calls_per_extension",
    "max_minutes_per_day",
    "reserved_calls",
    "enabled",
    "caller_id_number",
    "auth_username",
}


@pytest.mark.parametrize("path", [path for path in PATHS if isinstance(path[-1], str)], ids=_name)
def test_a_key_that_is_taken_away_is_optional_or_one_fault(path: Path) -> None:
    faults = _spoilt(path, REMOVED)
    if path[-1] == "accept_wide_networks":
        assert {fault.variable for fault in faults} == {"pbx_trunks"}, "each of the networks that it accepts"
        return
    if not faults:
        assert path[-1] in OPTIONAL | {"termination_host", "pbx_dids"} or path[-2] == "destinations"
        return
    assert [fault.variable for fault in faults] in ([_name(path)], [f"{_name(path[:1])}.trunk"]) or (
        path[-1] == "termination_host"
    ), faults


def test_a_left_over_dash_is_a_fault_and_switches_no_other_check_off() -> None:
    model = broken("pbx_outbound.trunk", "typo")
    for key in ("pbx_trunks", "pbx_dids", "pbx_extensions"):
        model[key].append(None)
    model["pbx_dids"][0]["destinations"]["from-twilio"]["extensions"] = ["150"]
    model["pbx_dids"][0]["destinations"]["from-nowhere"] = {"extensions": ["100"]}
    faults = [str(fault) for fault in check_model(model).faults]
    for expected in (
        "pbx_trunks[1]: is empty",
        "pbx_dids[1]: is empty",
        "pbx_extensions[2]: is empty",
        "'typo' is no trunk of pbx_trunks",
        "rings 150, which does not exist",
        "'from-nowhere', where no call arrives",
    ):
        assert any(expected in fault for fault in faults), (expected, faults)
    assert len(faults) == 6


def test_an_item_whose_name_is_of_no_use_is_checked_all_the_same() -> None:
    model = broken("pbx_trunks.0.name", "Twilio")
    model["pbx_trunks"][0]["context"] = "internal"
    model["pbx_dids"][0]["number"] = None
    model["pbx_dids"][0]["destinations"] = {"from-pstn": {"extensions": ["150"]}}
    report = check_model(model)
    faults = [str(fault) for fault in report.faults]
    assert len(faults) == 4, faults
    assert any("rings 150, which does not exist" in fault for fault in faults)
    assert any("lands in 'internal'" in fault for fault in faults)
    assert report.warnings == ()


CASCADES = [
    ("pbx_max_calls", "many", "Lower"),
    ("pbx_rtp_ports.last", "x", "Write {first"),
    ("pbx_rtp_ports.first", None, "calls need"),
    ("pbx_trunks.0.termination_host", "sip:x", "belongs to no"),
    ("pbx_extensions.1.number", 7, "belongs to no"),
    ("pbx_trunks.0.context", "From Twilio", "no call arrives"),
    ("pbx_outbound.dial_prefix", "ten", "dial prefix"),
]


@pytest.mark.parametrize(("path", "value", "nonsense"), CASCADES, ids=[case[0] for case in CASCADES])
def test_a_broken_value_has_no_nonsense_in_its_wake(path: str, value: Any, nonsense: str) -> None:
    report = check_model(broken(path, value))
    assert len(report.faults) == 1, report.faults
    assert not any(nonsense in str(one) for one in (*report.faults, *report.warnings))


SPELLINGS = [
    ("pbx_dids.0.number", 19863334949, '"+19863334949"'),
    ("pbx_extensions.0.number", 64, '"64", or "0100" if that stands there'),
    ("pbx_extensions.0.name", False, '"no"'),
    ("pbx_outbound.country_code", 1, '"1"'),
    ("pbx_outbound.allowed_prefixes", [1900], '"+1900"'),
]


@pytest.mark.parametrize(("path", "value", "expected"), SPELLINGS, ids=[case[0] for case in SPELLINGS])
def test_text_without_quotes_gets_the_text_that_is_right(path: str, value: Any, expected: str) -> None:
    (fault,) = (fault for fault in check_model(broken(path, value)).faults if "is not text" in str(fault))
    assert f"Put it in quotes, as {expected}." in str(fault)
    assert "False" not in str(fault)


def test_a_far_name_is_no_suggestion() -> None:
    (fault,) = check_model({**SOUND, "pbx_queues": []}).faults
    assert str(fault).startswith("pbx_queues: is unknown here. Remove it; known are: ")
