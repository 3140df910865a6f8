"""Differences between two configuration trees, readable as such and free of secrets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

MASK = "********"
_NEW = f"{MASK} (new)"

# Keys whose value is secret whoever wrote it, so that a password we no longer know is masked, too.
_KEYS = r"(?:password|password_digest|secret|md5_cred|oauth_secret|refresh_token|dbpass)"
_SETTING = re.compile(
    rf"^(?P<key>\s*;?\s*(?:[\w-]+/)?{_KEYS}\s*=>?\s*)(?P<value>.*\S)", re.IGNORECASE | re.MULTILINE
)
# The same within a sentence, where the value ends with the word.
_MENTION = re.compile(rf"(?P<key>\b{_KEYS}\s*=>?\s*)(?P<value>[^\s)]+)", re.IGNORECASE)


class Masker:
    """Replaces secrets in texts.

    :param secrets: values to hide wherever they stand; values of fewer than 4 characters are left to
        the keys, since hiding every ``1`` would hide everything
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def file(self, text: str, before: frozenset[str] | None = None) -> str:
        """Return a file's content without secrets.

        :param before: secret values of an earlier content; one that is not among them is marked as new
        """

        def hide(match: re.Match[str]) -> str:
            is_new = before is not None and match["value"] not in before
            return match["key"] + (_NEW if is_new else MASK)

        return self._hide_known(_SETTING.sub(hide, text))

    def sentence(self, text: str) -> str:
        """Return a message without secrets."""
        return self._hide_known(_MENTION.sub(rf"\g<key>{MASK}", text))

    def _hide_known(self, text: str) -> str:
        return self._known.sub(MASK, text) if self._known else text


def unified(old: Mapping[str, str], new: Mapping[str, str], masker: Masker) -> str:
    """Return one unified diff over all files that differ, secrets masked."""
    parts: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        before, after = old.get(name, ""), new.get(name, "")
        values = frozenset(match["value"] for match in _SETTING.finditer(before))
        lines = difflib.unified_diff(
            masker.file(before).splitlines(),
            masker.file(after, values if name in old else None).splitlines(),
            f"a/{name}" if name in old else "/dev/null",
            f"b/{name}" if name in new else "/dev/null",
            lineterm="",
        )
        parts.extend(lines)
    return "".join(f"{line}\n" for line in parts)
