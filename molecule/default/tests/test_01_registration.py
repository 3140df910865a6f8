"""Phones register by digest, and nobody else does."""

from __future__ import annotations

import pytest

from lab.driver.agents import Answer, Phone
from lab.driver.capture import record
from lab.driver.parties import Parties


@pytest.fixture(params=["100", "101"])
def phone(request: pytest.FixtureRequest, lab: Parties) -> Phone:
    return next(phone for phone in lab.phones if phone.number == request.param)


def test_phone_registers_by_digest(phone: Phone, lab: Parties) -> None:
    phone.silence()
    with record(phone.machine) as recorded:
        status = phone.register()
        phone.listen(Answer())
    assert status == 200
    requests = recorded.of(phone.machine).requests("REGISTER")
    assert [bool(request.header("authorization")) for request in requests] == [False, True]
    assert f"sip:{phone.number}@" in lab.server.asterisk(f"pjsip show aor {phone.number}")


def test_challenge_offers_md5_of_realm_asterisk_alone(lab: Parties) -> None:
    challenged = lab.scanner.ask("REGISTER")
    assert challenged is not None
    assert challenged.status == 401
    offers = challenged.all("www-authenticate")
    assert len(offers) == 1
    assert 'realm="asterisk"' in offers[0]
    assert "algorithm=MD5" in offers[0]


def test_wrong_password_is_refused(lab: Parties) -> None:
    # From a phone that is not in use, so that the PBX's contact of the real one stays as it is.
    assert lab.phone_102.register(number="101", password="not-the-password") == 401


def test_password_of_another_extension_is_refused(lab: Parties) -> None:
    assert lab.phone_102.register(number="101", password=lab.phone_100.password) == 401


def test_unknown_user_is_refused_like_a_wrong_password(lab: Parties) -> None:
    assert lab.phone_102.register(number="555", password=lab.phone_100.password) == 401


def test_empty_registration_of_the_trunks_name_is_refused(lab: Parties) -> None:
    assert lab.phone_102.register(number="twilio-na-us", password="none") == 401
