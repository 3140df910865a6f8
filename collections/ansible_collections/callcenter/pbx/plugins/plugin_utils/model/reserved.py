"""Names of the dialplan and of pjsip.conf that have a meaning of their own."""

from __future__ import annotations

INTERNAL_CONTEXTS = ("internal", "from-internal")
"""Contexts an extension may be in."""
ABROAD_CONTEXT = "from-internal"
"""The class of phones that may call other countries, as far as the site allows any."""
SECOND_TRUNK_CONTEXT = "from-pstn"
"""The inbound context that always exists, with or without a trunk that lands in it."""
RESERVED_CONTEXTS = (
    *INTERNAL_CONTEXTS,
    "admit",
    "admit-inbound",
    "carrier-proof",
    "answered",
    "as-written",
    "called",
    "caller-number",
    "extensions",
    "registered",
    "outbound",
    "outbound-answered",
    "outbound-call",
    "outbound-leg",
    "outbound-over",
    "outbound-policy",
    "outbound-policy-abroad",
    "outbound-seconds",
    "emergency",
    "emergency-call",
    "emergency-caller",
    "emergency-notify",
    "outbound-trunks",
    "emergency-trunks",
    "carrier-ended",
    "carriers-failed",
    "from-internal-number",
    "internal-number",
    "no-number",
    "dial-ended",
    "dial-status",
    "leg-status",
    "sip-answer",
    "refused",
    "health-check",
    "transfer-from-trunk",
    "general",
    "globals",
    "default",
)
"""Contexts of the dialplan that no trunk may land in, and section names with a meaning of their own."""
RESERVED_OBJECTS = (
    "global",
    "system",
    "transport",
    "transport-udp",
    "transport-tcp",
    "transport-local",
    "trunk",
    "health-check",
)
"""Sections of pjsip.conf with a meaning of their own."""
