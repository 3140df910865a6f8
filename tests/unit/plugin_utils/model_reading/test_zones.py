"""The names of time zones, and what is said of those that are none."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading import zones as model_zones
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.rules import check_model

from tests.unit.model_samples import broken


@pytest.mark.parametrize("name", ["UTC", "Asia/Kolkata", "America/Argentina/Buenos_Aires", "Europe/Oslo"])
def test_names_in_use_are_taken(name: str) -> None:
    assert check_model(broken("pbx_time_zone", name)).faults == ()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        pytest.param("Asia/Kolkatta", "did you mean Asia/Kolkata", id="misspelled"),
        pytest.param("europe/berlin", "did you mean Europe/Berlin", id="small letters"),
        pytest.param("Tokyo", "did you mean Asia/Tokyo", id="without its continent"),
        pytest.param("Asia/Calcutta", "did you mean Asia/Kolkata", id="former name"),
        pytest.param("US/Pacific", "did you mean America/Los_Angeles", id="former name of another form"),
        pytest.param("../../etc/passwd", "write an IANA time zone, as America/New_York", id="a path"),
        pytest.param("EST5EDT", "write an IANA time zone, as America/New_York", id="a rule of its own"),
        pytest.param("UTC+5", "write an IANA time zone, as America/New_York", id="an offset"),
        pytest.param("", "write an IANA time zone, as America/New_York", id="empty text"),
        pytest.param("posix/Europe/Berlin", "did you mean Europe/Berlin", id="a directory of the database"),
    ],
)
def test_what_is_no_name_in_use_is_one_fault_with_its_remedy(name: str, remedy: str) -> None:
    (fault,) = check_model(broken("pbx_time_zone", name)).faults
    assert fault.variable == "pbx_time_zone"
    assert fault.remedy.lower().endswith(remedy.lower())


@pytest.mark.parametrize("name", ["Asia/Kolkatta", "Europe/Berlin"])
def test_without_a_database_the_form_alone_is_checked(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(model_zones, "zone_names", tuple)
    assert check_model(broken("pbx_time_zone", name)).faults == ()
