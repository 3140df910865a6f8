"""A sound model to break: what the tables of the model's tests start from."""

from __future__ import annotations

import copy
from typing import Any

SECRETS = {"100": "kY3vTq8Wm2Zr5nBx", "101": "pL7dHs4Jf9Qc6tVw", "twilio-na-us": "Fd9sJw4Hq7Lz2XvP"}

SOUND: dict[str, Any] = {
    "pbx_public_address": "192.0.2.10",
    "pbx_sip_port": 5060,
    "pbx_rtp_ports": {"first": 10000, "last": 10100},
    "pbx_max_calls": 23,
    "pbx_extensions": [
        {"number": "100", "name": "Agent 100", "context": "internal"},
        {"number": "101", "name": "Agent 101", "context": "internal"},
    ],
    "pbx_trunks": [
        {
            "name": "twilio-na-us",
            "context": "from-twilio",
            "identify_networks": ["203.0.113.0/30"],
            "contacts": ["sip:203.0.113.1:5060"],
            "termination_host": "site.pstn.ashburn.example.com",
            "auth_username": "Admin",
            "codecs": ["ulaw", "alaw"],
            "qualify_seconds": 60,
            "catch_all": {"prefixes": ["+1"], "extensions": ["100"], "ring_seconds": 20},
        }
    ],
    "pbx_dids": [
        {
            "number": "+19863334949",
            "destinations": {
                "from-twilio": {"extensions": ["100"], "ring_seconds": 20},
                "from-pstn": {"extensions": ["100", "101"], "ring_seconds": 30, "dial_options": "tT"},
            },
        }
    ],
    "pbx_outbound": {
        "trunk": "twilio-na-us",
        "caller_id_number": "+19863334949",
        "caller_id_name": "CallCenter",
        "dial_prefix": "9",
        "country_code": "1",
        "ring_seconds": 30,
        "allowed_prefixes": ["+"],
        "denied_prefixes": [],
        "max_call_seconds": 14400,
        "max_calls": 23,
        "max_calls_per_extension": 4,
        "emergency": {
            "enabled": True,
            "numbers": ["911"],
            "test_numbers": ["933"],
            "caller_id_number": "+19863334949",
        },
    },
    "pbx_blacklist": [],
    "pbx_never_block": [],
    "pbx_allow_weak_passwords": False,
    "pbx_secrets": SECRETS,
}

REMOVED: Any = object()
"""As a value for `broken`: take the item away."""


def broken(path: str, value: Any) -> dict[str, Any]:
    """Return the sound model with the item at ``path`` (``pbx_trunks.0.name``; ``+`` appends) replaced."""
    model = copy.deepcopy(SOUND)
    *parents, last = path.split(".")
    place: Any = model
    for step in parents:
        place = place[int(step) if isinstance(place, list) else step]
    if last == "+":
        place.append(value)
    elif value is REMOVED:
        del place[int(last) if isinstance(place, list) else last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return model
