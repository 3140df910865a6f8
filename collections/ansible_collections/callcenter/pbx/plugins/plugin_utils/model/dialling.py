"""How numbers are written: what a phone may dial, and what a carrier may send, each as a dialplan pattern."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import NORTH_AMERICA, Model


class Way(NamedTuple):
    """One way to dial outside: the pattern and what it becomes, both about digits and a plus only."""

    exten: str
    number: str
    about: str


def _rest(skipped: int) -> str:
    return f"${{EXTEN:{skipped}}}" if skipped else "${EXTEN}"


def outbound_patterns(model: Model) -> list[Way]:
    """Return every way to dial outside from `internal`.

    The national forms need a known length, so they exist for North America only.
    """
    out = model.outbound
    prefix, country, abroad = out.dial_prefix, out.country_code, out.international_prefix
    skip = len(prefix)
    found = [
        Way("_+X.", "${EXTEN}", "A number in E.164, as a phone's history has it"),
        Way(f"_{prefix}+X.", _rest(skip), f"{prefix} and a number in E.164"),
        Way(
            f"_{prefix}{abroad}X.",
            f"+{_rest(skip + len(abroad))}",
            f"{prefix}, the international prefix {abroad}, country code and number",
        ),
    ]
    if country == NORTH_AMERICA:
        national = "NXXXXXXXXX"
        found += [
            Way(f"_{prefix}{country}{national}", f"+{_rest(skip)}", f"{prefix}, country code and ten digits"),
            Way(f"_{prefix}{national}", f"+{country}{_rest(skip)}", f"{prefix} and ten digits"),
            Way(
                f"_{prefix}{country}{country}{national}",
                f"+{_rest(skip + 1)}",
                f"{prefix}, a long-distance 1, country code and ten digits",
            ),
        ]
    return found


def direct_patterns(model: Model) -> list[Way]:
    """Return every way to dial outside from `from-internal`, which needs no dial prefix."""
    prefixes = dict.fromkeys(("00", model.outbound.international_prefix))
    return [
        Way("_+X.", "${EXTEN}", "A number in E.164"),
        *(
            Way(f"_{prefix}X.", f"+{_rest(len(prefix))}", f"{prefix}, country code and number")
            for prefix in prefixes
        ),
    ]


def own_spellings(model: Model, number: str) -> list[str]:
    """Return how a carrier may write a number of the site, other than in E.164 with a plus."""
    out = model.outbound
    digits, home = number.removeprefix("+"), out.country_code
    found = [digits, f"00{digits}", f"{out.international_prefix}{digits}"]
    if digits.startswith(home):
        national = digits.removeprefix(home)
        found.append(national)
        if home != NORTH_AMERICA:
            found.append(f"0{national}")
    return list(dict.fromkeys(found))


_KEEPS_NATIONAL_ZERO = ("39", "378")
"""Italy and San Marino: the zero is part of the number, from abroad too."""


def caller_spellings(model: Model) -> list[Way]:
    """Return how a carrier may write a caller's number, and the same in E.164; ``SENT`` holds the number.

    Only what can mean one thing: the rest stays as it was sent.
    """
    out = model.outbound
    home = out.country_code
    found = [
        Way(f"_{prefix}[1-9]XXXXXX.", f"+${{SENT:{len(prefix)}}}", "")
        for prefix in dict.fromkeys(("00", out.international_prefix))
    ]
    if home == NORTH_AMERICA:
        found += [Way("_1NXXXXXXXXX", "+${SENT}", ""), Way("_NXXXXXXXXX", "+1${SENT}", "")]
    else:
        skipped = 0 if home in _KEEPS_NATIONAL_ZERO else 1
        number = f"${{SENT:{skipped}}}" if skipped else "${SENT}"
        found += [
            Way("_0[1-9]XXXXX.", f"+{home}{number}", ""),
            # Country code and at least eight digits: a national number would have its zero.
            Way(f"_{home}[1-9]XXXXXXX.", "+${SENT}", ""),
        ]
    return found


def emergency_numbers(model: Model) -> dict[str, str]:
    """Return what may be dialled, with and without the dial prefix -> the emergency number it means."""
    emergency = model.outbound.emergency
    found: dict[str, str] = {}
    for number in (*emergency.numbers, *emergency.test_numbers):
        found[number] = number
        found[model.outbound.dial_prefix + number] = number
    return found
