# Copyright (c) The callcenter maintainers
# SPDX-License-Identifier: MIT
"""Digest authentication as SIP uses it (RFC 2617, 7616, 8760): both ends, no I/O.

MD5 and SHA-256, with ``qop=auth`` or without any. What else a server may offer (``auth-int``, ``-sess``) no
SIP server at hand uses; it counts as not offered.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

# In order of preference: MD5 is what every phone and PBX has.
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))')
_ESCAPED = re.compile(r"\\(.)")
_NEEDS_ESCAPE = re.compile(r'(["\\])')
_FIRST_USE = "00000001"


@dataclass(frozen=True)
class Challenge:
    """What a server asks for. ``qop`` is ``auth`` or empty; ``stale``: only the nonce was too old."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = ""
    opaque: str = ""
    stale: bool = False

    def encode(self) -> str:
        """The value of a WWW-Authenticate or Proxy-Authenticate header."""
        fields = {"realm": self.realm, "nonce": self.nonce}
        if self.opaque:
            fields["opaque"] = self.opaque
        parts = [f"{name}={_quoted(value)}" for name, value in fields.items()]
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f'qop="{self.qop}"')
        if self.stale:
            parts.append("stale=true")
        return "Digest " + ",".join(parts)


def parse_parameters(value: str) -> dict[str, str]:
    """The parameters of a ``Digest ...`` header value, names in lower case; empty for another scheme."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    return {
        match[1].lower(): match[3] if match[2] is None else _ESCAPED.sub(r"\1", match[2])
        for match in _PARAMETER.finditer(rest)
    }


def choose_challenge(values: Iterable[str]) -> Challenge | None:
    """Of the challenges in a response's headers, the first that can be answered: MD5 before SHA-256."""
    offered = [challenge for value in values if (challenge := _challenge(parse_parameters(value)))]
    for algorithm in _HASHES:
        for challenge in offered:
            if challenge.algorithm == algorithm:
                return challenge
    return None


def authorization(
    challenge: Challenge, *, username: str, password: str, method: str, uri: str, cnonce: str
) -> str:
    """The value of the Authorization header that answers a challenge with its nonce's first use."""
    response = _response(
        challenge.algorithm,
        (username, challenge.realm, password),
        (method, uri),
        challenge.nonce,
        (_FIRST_USE, cnonce, challenge.qop) if challenge.qop else None,
    )
    quoted = {
        "username": username,
        "realm": challenge.realm,
        "nonce": challenge.nonce,
        "uri": uri,
        "response": response,
    }
    if challenge.opaque:
        quoted["opaque"] = challenge.opaque
    parts = [f"{name}={_quoted(value)}" for name, value in quoted.items()]
    parts.append(f"algorithm={challenge.algorithm}")
    if challenge.qop:
        parts += [f"qop={challenge.qop}", f"nc={_FIRST_USE}", f'cnonce="{cnonce}"']
    return "Digest " + ", ".join(parts)


def answers(value: str, challenge: Challenge, *, username: str, password: str, method: str) -> bool:
    """Tell whether an Authorization value answers ``challenge`` with this user name and password."""
    given = parse_parameters(value)
    if (given.get("username"), given.get("realm"), given.get("nonce")) != (
        username,
        challenge.realm,
        challenge.nonce,
    ):
        return False
    # Without qop the answer is RFC 2069's: allowed even where qop was offered.
    use = (given.get("nc", ""), given.get("cnonce", ""), given["qop"]) if given.get("qop") else None
    expected = _response(
        challenge.algorithm,
        (username, challenge.realm, password),
        (method, given.get("uri", "")),
        challenge.nonce,
        use,
    )
    return hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode())


def _response(
    algorithm: str,
    identity: tuple[str, str, str],
    request: tuple[str, str],
    nonce: str,
    use: tuple[str, str, str] | None,
) -> str:
    """The digest. ``identity``: user, realm, password; ``request``: method, URI; ``use``: nc, cnonce, qop."""

    def digest(*parts: str) -> str:
        return _HASHES[algorithm](":".join(parts).encode()).hexdigest()

    return digest(digest(*identity), nonce, *(use or ()), digest(*request))


def _challenge(given: dict[str, str]) -> Challenge | None:
    """A challenge that can be answered, or ``None``."""
    algorithm = given.get("algorithm", "MD5").upper()
    offered = [option.strip().lower() for option in given.get("qop", "").split(",") if option.strip()]
    if algorithm not in _HASHES or (offered and "auth" not in offered):
        return None
    if not {"realm", "nonce"} <= given.keys():
        return None
    return Challenge(
        realm=given["realm"],
        nonce=given["nonce"],
        algorithm=algorithm,
        qop="auth" if offered else "",
        opaque=given.get("opaque", ""),
        stale=given.get("stale", "").lower() == "true",
    )


def _quoted(value: str) -> str:
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", value) + '"'
