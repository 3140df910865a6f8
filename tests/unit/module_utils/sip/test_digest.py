"""Digest authentication, against the examples of the RFCs and against what servers offer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.digest import (
    Challenge,
    answers,
    authorization,
    choose_challenge,
    parse_parameters,
)

RFC_2617 = Challenge(
    "testrealm@host.com",
    "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    opaque="5ccc069c403ebaf9f0171e9517f40e41",
)
RFC_7616 = Challenge(
    "http-auth@example.org",
    "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    qop="auth",
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
)
CNONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

VECTORS = {
    "RFC 2617, 3.5": (
        replace(RFC_2617, qop="auth"),
        "Circle Of Life",
        "0a4f113b",
        "6629fae49393a05397450978507c4ef1",
    ),
    "RFC 2069 as corrected, without qop": (
        RFC_2617,
        "CircleOfLife",
        "not used",
        "1949323746fe6a43ef61f9606e7febea",
    ),
    "RFC 7616, 3.9.1, MD5": (
        RFC_7616,
        "Circle of Life",
        CNONCE_7616,
        "8ca523f5e9506fed4657c9700eebdbec",
    ),
    "RFC 7616, 3.9.1, SHA-256": (
        replace(RFC_7616, algorithm="SHA-256"),
        "Circle of Life",
        CNONCE_7616,
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    ),
}


@pytest.mark.parametrize(("challenge", "password", "cnonce", "expected"), VECTORS.values(), ids=VECTORS)
def test_the_rfcs_examples(challenge: Challenge, password: str, cnonce: str, expected: str) -> None:
    value = authorization(
        challenge, username="Mufasa", password=password, method="GET", uri="/dir/index.html", cnonce=cnonce
    )
    sent = parse_parameters(value)
    assert sent["response"] == expected
    assert (sent["opaque"], sent["uri"], sent["algorithm"]) == (
        challenge.opaque,
        "/dir/index.html",
        challenge.algorithm,
    )
    assert ("cnonce" in sent, "nc" in sent) == (bool(challenge.qop), bool(challenge.qop))
    assert answers(value, challenge, username="Mufasa", password=password, method="GET")


OWN = Challenge('a "quoted" \\ realm', "n1", qop="auth")
GIVEN = {
    "right": ({}, True),
    "another password": ({"password": "old"}, False),
    "another user": ({"username": "other"}, False),
    "another method": ({"method": "BYE"}, False),
}


@pytest.mark.parametrize(("changed", "expected"), GIVEN.values(), ids=GIVEN)
def test_an_answer_is_judged(changed: dict[str, str], expected: bool) -> None:
    right = {"username": "me", "password": "pässword;#", "method": "INVITE"}
    value = authorization(OWN, **right, uri="sip:a@b", cnonce="c")
    assert answers(value, OWN, **{**right, **changed}) is expected


@pytest.mark.parametrize("value", ["", "Digest", "Basic bWU6cHc=", 'Digest username="me"'])
def test_no_answer_is_no_match(value: str) -> None:
    assert not answers(value, OWN, username="me", password="pw", method="INVITE")


def test_an_answer_to_another_nonce_is_no_match() -> None:
    identity = {"username": "me", "password": "pw", "method": "INVITE"}
    value = authorization(Challenge(OWN.realm, "n0", qop="auth"), **identity, uri="sip:a", cnonce="c")
    assert not answers(value, OWN, **identity)


MD5 = 'Digest realm="asterisk",nonce="1/2",opaque="0f",algorithm=MD5,qop="auth"'
SHA = 'Digest realm="asterisk",nonce="1/2",algorithm=SHA-256,qop="auth"'
OFFERS = {
    "as Asterisk writes it": ([MD5], Challenge("asterisk", "1/2", "MD5", "auth", "0f")),
    "MD5 though SHA-256 comes first": ([SHA, MD5], Challenge("asterisk", "1/2", "MD5", "auth", "0f")),
    "SHA-256 alone": ([SHA], Challenge("asterisk", "1/2", "SHA-256", "auth")),
    "no algorithm, no qop": (['Digest realm="r", nonce="n"'], Challenge("r", "n")),
    "stale, unquoted, lower case": (
        ['digest realm="r", nonce="n", algorithm=md5, stale=TRUE'],
        Challenge("r", "n", stale=True),
    ),
    "auth among others": (
        ['Digest realm="r", nonce="n", qop="auth-int, auth"'],
        Challenge("r", "n", qop="auth"),
    ),
    "a comma and a quote in the realm": (
        [r'Digest realm="a, \"b\"", nonce="n"'],
        Challenge('a, "b"', "n"),
    ),
    "auth-int only": (['Digest realm="r", nonce="n", qop="auth-int"'], None),
    "another algorithm": (['Digest realm="r", nonce="n", algorithm=MD5-sess'], None),
    "no nonce": (['Digest realm="r"'], None),
    "another scheme": (['Basic realm="r", nonce="n"'], None),
    "nothing": ([], None),
}


@pytest.mark.parametrize(("values", "expected"), OFFERS.values(), ids=OFFERS)
def test_a_challenge_is_chosen(values: list[str], expected: Challenge | None) -> None:
    assert choose_challenge(values) == expected


@pytest.mark.parametrize(
    "challenge",
    [OWN, Challenge("r", "n", "SHA-256", "", "o", stale=True)],
    ids=["quotes and qop", "all others"],
)
def test_a_challenge_that_is_written_can_be_read(challenge: Challenge) -> None:
    assert choose_challenge([challenge.encode()]) == challenge
