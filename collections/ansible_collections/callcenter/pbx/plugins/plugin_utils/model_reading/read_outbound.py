"""Read `pbx_outbound`: what may be dialled outside, through whom, as whom, and how far."""

from __future__ import annotations

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import (
    NORTH_AMERICA,
    Emergency,
    Outbound,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.prefixes import costly_prefixes
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.reader import (
    UNREAD,
    Reader,
    e164,
    pattern,
    prefix,
)


def _emergency(reader: Reader, default_caller: str) -> Emergency:
    number = pattern(r"[0-9]{3,6}", 'write 3 to 6 digits in quotes, as "911"')
    enabled = reader.boolean("enabled", True)
    reserved = reader.integer("reserved_calls", 1, 1000, default=2)
    found = Emergency(
        enabled=enabled,
        numbers=reader.texts("numbers", number, default=["911"]),
        test_numbers=reader.texts("test_numbers", number, default=["933"]),
        caller_id_number=reader.text("caller_id_number", e164, default=default_caller or None),
        reserved_calls=reserved if enabled else 0,
    )
    if enabled and not reader.raw("numbers", ["911"]):
        reader.fault(
            "numbers",
            "is empty while emergency calls are enabled: nobody could call for help",
            'List your country\'s numbers, as ["112"], or, where nobody is, write enabled: false',
        )
    reader.done()
    return found


def _outbound_trunks(reader: Reader) -> tuple[str, ...]:
    """Return the trunks to try, in order: one name, or a list of names."""

    def named(value: str) -> str | None:
        return None if value else "write the name of a trunk"

    value = reader.raw("trunk")
    if value is UNREAD:
        return ()
    if isinstance(value, list):
        return reader.texts("trunk", named, least=1)
    name = reader.text("trunk", named)
    return (name,) if name else ()


def read_outbound(reader: Reader, most_calls: int) -> Outbound:
    caller = reader.text("caller_id_number", e164)
    country = reader.text(
        "country_code",
        pattern(r"[1-9][0-9]{0,2}", 'write 1 to 3 digits in quotes, without a plus, as "1"'),
        stand_in="1",
    )
    calls = reader.integer("max_calls", 0, 10000, default=most_calls)
    found = Outbound(
        trunks=_outbound_trunks(reader),
        caller_id_number=caller,
        caller_id_name=reader.text(
            "caller_id_name",
            pattern(
                r"[A-Za-z0-9]([A-Za-z0-9 .'-]{0,38}[A-Za-z0-9.])?",
                "write 1 to 40 letters, digits, blanks, or . ' -",
            ),
        ),
        dial_prefix=reader.text(
            "dial_prefix", pattern(r"[0-9]{1,2}", 'write one or two digits in quotes, as "9"'), stand_in="9"
        ),
        country_code=country,
        international_prefix=reader.text(
            "international_prefix",
            pattern(r"[0-9]{2,4}", 'write 2 to 4 digits in quotes, as "00", or "011" in North America'),
            default="011" if country == NORTH_AMERICA else "00",
            stand_in="00",
        ),
        verified_numbers=reader.texts("verified_numbers", e164, default=[]),
        ring_seconds=reader.integer("ring_seconds", 5, 300, default=30),
        allowed_prefixes=reader.texts("allowed_prefixes", prefix, default=[f"+{country}"]),
        denied_prefixes=reader.texts("denied_prefixes", prefix, default=costly_prefixes(country)),
        abroad_prefixes=reader.texts("abroad_prefixes", prefix, default=[]),
        max_minutes_per_day=reader.integer("max_minutes_per_day", 1, 1_000_000, default=600),
        reserved_calls=reader.integer("reserved_calls", 0, 10000, default=most_calls // 5),
        max_call_seconds=reader.integer("max_call_seconds", 60, 86400, default=14400),
        max_calls=calls,
        max_calls_per_extension=reader.integer("max_calls_per_extension", 0, 10000, default=min(4, calls)),
        emergency=_emergency(reader.mapping("emergency", {}), caller),
    )
    reader.done()
    return found
