# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The jails of fail2ban that ban whoever attacks the PBX, and what they say of a ban in the kernel's sets."""

from __future__ import annotations

JAILS = {
    "sip-guessing": "guessed passwords",
    "sip-enumeration": "looked for accounts",
    "sip-calls": "called without being known",
}
"""What a source has done, by the jail that banned it."""
