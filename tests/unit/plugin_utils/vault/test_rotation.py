"""Which passwords a rotation writes, how a run that was cut short is told, undone and proven."""

from __future__ import annotations

import copy
import secrets
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.passwords import weakness
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import (
    NEXT,
    PREVIOUS,
    SECRETS,
    Change,
    Maps,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.report import recovered, settled
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.rotation import (
    LOOK_ALIKES,
    PASSWORD_LENGTH,
    Journal,
    Kind,
    Known,
    Owner,
    Request,
    RotationError,
    completion,
    new_password,
    plan,
    proof,
    read_request,
)

from tests.unit.model_samples import SOUND

KNOWN = Known.of(read_model(SOUND)[0])
TRUNK = "twilio-na-us"
ALL = ("100", "101", TRUNK)
OWNER = Owner("here", 1, "then")


def maps(secrets: dict[str, str], previous: Any = None, following: Any = None) -> Maps:
    """The three maps of a vault."""
    return {SECRETS: secrets, PREVIOUS: previous or {}, NEXT: following or {}}


def after(before: Maps, changes: tuple[Change, ...]) -> Maps:
    """The maps once the changes are written."""
    result = {name: dict(entries) for name, entries in before.items()}
    for change in changes:
        assert result[change.map].get(change.name) == change.former
        if change.written is None:
            del result[change.map][change.name]
        else:
            result[change.map][change.name] = change.written
    return result


REQUESTS = {
    "one": ("100", False, False, Request("rotate", ("100",))),
    "several": (" 101, twilio-na-us ,100,101", False, False, Request("rotate", ("101", TRUNK, "100"))),
    "extensions": ("extensions", True, False, Request("overlap", ("100", "101"))),
    "all": ("all", False, False, Request("rotate", ALL)),
    "a-list": (["100", 101], False, False, Request("rotate", ("100", "101"))),
    "a-number": (100, False, False, Request("rotate", ("100",))),
    "finish-everything": (None, False, True, Request("finish", ())),
    "finish-one": ("100", False, True, Request("finish", ("100",))),
}


@pytest.mark.parametrize(("rotate", "overlap", "finish", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_request(rotate: object, overlap: bool, finish: bool, expected: Request) -> None:
    assert read_request(rotate, overlap, finish, KNOWN) == expected


BAD_REQUESTS = {
    "nothing": (
        None,
        False,
        False,
        "Nothing to rotate was named.*extensions.*all.*100, 101, twilio-na-us.*finish",
    ),
    "blank": (" , ", False, False, "Nothing to rotate was named"),
    "unknown": (
        "100,109,x",
        False,
        False,
        "'109', 'x', which.*Known are: extensions, all, 100, 101, twilio-na-us",
    ),
    "overlap-and-finish": ("100", True, True, "give one of them"),
}


@pytest.mark.parametrize(("rotate", "overlap", "finish", "expected"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_request_names_the_choices(rotate: object, overlap: bool, finish: bool, expected: str) -> None:
    with pytest.raises(RotationError, match=expected):
        read_request(rotate, overlap, finish, KNOWN)


def test_passwords_are_strong_easy_to_type_and_different() -> None:
    made = {new_password(("100",)) for _ in range(300)}
    assert len(made) == 300
    for password in made:
        assert len(password) == PASSWORD_LENGTH >= 24
        assert password.isalnum() and password.isascii() and password[0].isalpha()
        assert not set(password) & set(LOOK_ALIKES)
        assert weakness(password, ("100",)) is None


def test_passwords_have_every_kind_of_sign_that_carriers_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = ["abcdefgh" * 3, "ABCDefgh" * 3, "abcd2345" * 3, "ABCD2345" * 3]
    signs = iter("".join([*lacking, "hB6mTz3R" * 3]))
    monkeypatch.setattr(secrets, "choice", lambda _alphabet: next(signs))
    assert new_password((TRUNK,)) == "hB6mTz3R" * 3


def test_completion_fills_gaps_and_changes_nothing_else() -> None:
    before = maps({"100": "kept", "101": "", "stray": "stays"})
    changes = completion(before, KNOWN)
    assert [change.name for change in changes] == ["101", TRUNK]
    result = after(before, changes)
    assert result[SECRETS]["100"] == "kept"
    assert result[SECRETS]["stray"] == "stays"
    assert completion(result, KNOWN) == ()


BEFORE = maps({"100": "a", "101": "b", TRUNK: "c"})
NEW = "<new>"
PLANS: dict[str, tuple[Kind, tuple[str, ...], Maps, Maps]] = {
    "phone": ("rotate", ("100",), BEFORE, maps({"100": NEW, "101": "b", TRUNK: "c"})),
    "trunk": ("rotate", (TRUNK,), BEFORE, maps({"100": "a", "101": "b", TRUNK: NEW})),
    "phone-during-an-overlap-ends-it": (
        "rotate",
        ("100",),
        maps({"100": "a"}, {"100": "z", "101": "y"}),
        maps({"100": NEW}, {"101": "y"}),
    ),
    "overlap-of-a-phone": ("overlap", ("100",), maps({"100": "a"}), maps({"100": NEW}, {"100": "a"})),
    "overlap-of-a-trunk": ("overlap", (TRUNK,), maps({TRUNK: "c"}), maps({TRUNK: "c"}, {}, {TRUNK: NEW})),
    "overlap-without-an-old-one": ("overlap", ("100",), maps({}), maps({"100": NEW})),
    "finish-everything": (
        "finish",
        (),
        maps({"100": "a", TRUNK: "c"}, {"100": "z"}, {TRUNK: "d"}),
        maps({"100": "a", TRUNK: "d"}),
    ),
    "finish-one": (
        "finish",
        ("100",),
        maps({"100": "a", TRUNK: "c"}, {"100": "z", "101": "y"}, {TRUNK: "d"}),
        maps({"100": "a", TRUNK: "c"}, {"101": "y"}, {TRUNK: "d"}),
    ),
    "finish-nothing": ("finish", (), BEFORE, BEFORE),
}


@pytest.mark.parametrize(("kind", "names", "before", "expected"), PLANS.values(), ids=PLANS)
def test_plan(kind: Kind, names: tuple[str, ...], before: Maps, expected: Maps) -> None:
    old = {value for entries in before.values() for value in entries.values()}
    result = after(before, plan(before, Request(kind, names), KNOWN))
    shown = {
        name: {key: value if value in old else NEW for key, value in entries.items()}
        for name, entries in result.items()
    }
    assert shown == expected


REFUSALS: dict[str, tuple[Kind, tuple[str, ...], Maps]] = {
    "overlap-on-overlap": ("overlap", ("100",), maps({"100": "canary"}, {"100": "canary"})),
    "overlap-of-a-waiting-trunk": ("overlap", (TRUNK,), maps({TRUNK: "canary"}, {}, {TRUNK: "canary"})),
    "rotation-of-a-waiting-trunk": ("rotate", (TRUNK,), maps({TRUNK: "canary"}, {}, {TRUNK: "canary"})),
}


@pytest.mark.parametrize(("kind", "names", "before"), REFUSALS.values(), ids=REFUSALS)
def test_plan_refuses_what_would_cut_somebody_off(kind: Kind, names: tuple[str, ...], before: Maps) -> None:
    with pytest.raises(RotationError, match=names[0]) as refused:
        plan(before, Request(kind, names), KNOWN)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("kind", ["rotate", "overlap", "finish"])
def test_undoing_a_rotation_gives_what_was_there(kind: Kind) -> None:
    before = maps({"100": "a", "101": "b", TRUNK: "c"})
    if kind == "finish":
        before = maps({"100": "a", "101": "b", TRUNK: "c"}, {"100": "z"}, {TRUNK: "d"})
    journal = Journal(kind, OWNER, plan(before, Request(kind, ALL), KNOWN))
    written = after(before, journal.changes)
    assert set(journal.statuses(written).values()) == {"written"}
    assert set(journal.statuses(before).values()) == {"former"}
    assert after(written, journal.undoing(written)) == before
    assert journal.undoing(before) == ()


def test_somebodys_later_edit_is_never_undone() -> None:
    journal = Journal("overlap", OWNER, plan(BEFORE, Request("overlap", ("100", "101")), KNOWN))
    edited = after(BEFORE, journal.changes)
    edited[SECRETS]["100"] = "by hand"
    assert journal.statuses(edited) == {"100": "edited", "101": "written"}
    assert {change.name for change in journal.undoing(edited)} == {"101"}


def test_journal_survives_being_written_and_tells_nothing_when_it_is_broken() -> None:
    journal = Journal("rotate", OWNER, plan(BEFORE, Request("rotate", ALL), KNOWN), restored=True)
    assert Journal.from_json(journal.to_json()) == journal
    for broken in ("", "[]", '{"canary": 1}', journal.to_json()[:-9], '{"changes": ["canary"]}'):
        with pytest.raises(ValueError, match="is not a journal of a rotation"):
            Journal.from_json(broken)


PROOFS: dict[str, tuple[Kind, Maps, tuple[str, ...], dict[str, Any]]] = {
    "rotate": (
        "rotate",
        BEFORE,
        ("100", TRUNK),
        {"accepted": {"100": [NEW]}, "refused": {"100": ["a"]}, "trunks": {TRUNK: NEW}},
    ),
    "rotate-during-an-overlap": (
        "rotate",
        maps({"100": "a"}, {"100": "z"}),
        ("100",),
        {"accepted": {"100": [NEW]}, "refused": {"100": ["a", "z"]}, "trunks": {}},
    ),
    "overlap": (
        "overlap",
        BEFORE,
        ("100", TRUNK),
        {"accepted": {"100": [NEW, "a"]}, "refused": {}, "trunks": {TRUNK: "c"}},
    ),
    "finish": (
        "finish",
        maps({"100": "a", TRUNK: "c"}, {"100": "z"}, {TRUNK: "d"}),
        (),
        {"accepted": {"100": ["a"]}, "refused": {"100": ["z"]}, "trunks": {TRUNK: "d"}},
    ),
}


@pytest.mark.parametrize(("kind", "before", "names", "expected"), PROOFS.values(), ids=PROOFS)
def test_proof(kind: Kind, before: Maps, names: tuple[str, ...], expected: dict[str, Any]) -> None:
    journal = Journal(kind, OWNER, plan(before, Request(kind, names), KNOWN))
    old = {value for entries in before.values() for value in entries.values()}

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shown(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shown(item) for item in value]
        return value if value in old else NEW

    assert shown(proof(journal, after(before, journal.changes), ALL)) == expected


def test_proof_of_a_rotation_that_is_undone_is_the_other_way_round() -> None:
    journal = Journal("rotate", OWNER, plan(BEFORE, Request("rotate", ("100",)), KNOWN))
    assert proof(journal, BEFORE, ALL) == {
        "accepted": {"100": ["a"]},
        "refused": {"100": [journal.changes[0].written]},
        "trunks": {},
    }


def test_proof_leaves_out_what_the_site_no_longer_has() -> None:
    journal = Journal("rotate", OWNER, plan(BEFORE, Request("rotate", ALL), KNOWN))
    assert proof(journal, after(BEFORE, journal.changes), ["101"])["accepted"].keys() == {"101"}


def test_reports_say_what_is_left_to_do() -> None:
    journal = Journal("overlap", OWNER, plan(BEFORE, Request("overlap", ALL), KNOWN))
    said = settled(journal, KNOWN)
    assert "100, 101: the new password works, the old one too" in said
    assert "twilio-na-us: the new password is in the vault, in pbx_secrets_next" in said
    assert "Edited since, and left as they are: 101" in recovered(
        journal, {"100": "written", "101": "edited"}
    )


TOKEN = "twilio-na-us-inbound"
PROVEN = Known({**KNOWN.owners, TOKEN: (TRUNK,)}, extensions=KNOWN.extensions, tokens=(TOKEN,))


def test_the_names_of_tokens_come_from_the_model() -> None:
    model = copy.deepcopy(SOUND)
    model["pbx_trunks"][0]["inbound_token"] = True
    assert Known.of(read_model(model)[0]).tokens == (TOKEN,)


def test_a_token_is_replaced_as_a_phones_password_is_with_an_overlap() -> None:
    before = maps({TRUNK: "c", TOKEN: "a"})
    begun = after(before, plan(before, read_request(TOKEN, True, False, PROVEN), PROVEN))
    assert begun[PREVIOUS] == {TOKEN: "a"}
    assert begun[SECRETS][TOKEN] != "a"
    assert begun[NEXT] == {}
    finished = after(begun, plan(begun, read_request(None, False, True, PROVEN), PROVEN))
    assert finished[PREVIOUS] == {}
    assert finished[SECRETS] == begun[SECRETS]


def test_a_token_is_never_replaced_before_the_carrier_knows_the_new_one() -> None:
    with pytest.raises(RotationError, match="Give -e overlap=true, tell the carrier"):
        read_request(TOKEN, False, False, PROVEN)
    assert read_request("all", False, False, PROVEN).names == ALL
    assert read_request("all", True, False, PROVEN).names == (*ALL, TOKEN)


def test_people_are_told_to_write_a_new_token_into_the_uri() -> None:
    before = maps({TOKEN: "a"})
    journal = Journal("overlap", OWNER, plan(before, Request("overlap", (TOKEN,)), PROVEN))
    said = settled(journal, PROVEN)
    assert said.startswith("twilio-na-us-inbound: calls with the new token are taken, with the old one too")
    assert "pbx_secrets_next" not in said
