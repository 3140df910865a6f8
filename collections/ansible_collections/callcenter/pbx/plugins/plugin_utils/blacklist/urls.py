# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Block lists from the web, with the last good copy of each."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.callcenter.pbx.plugins.module_utils.host import whole_file
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.fetch import SCHEMES, Address, fetch
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.sources import (
    Source,
    SourceError,
    refuse_unfit,
)

ANY_CONTENT = "none"


def read_address(item: Mapping[str, Any]) -> Address:
    """Read an item of `blacklist_urls`.

    :raises SourceError: it is not valid
    """
    url, checksum = str(item["url"]), str(item["sha256"]).lower()
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise SourceError(f"blacklist_urls: {url!r} is not accepted. Write http://... or https://...")
    if checksum != ANY_CONTENT and (len(checksum) != 64 or set(checksum) - set("0123456789abcdef")):
        raise SourceError(
            f"blacklist_urls: sha256 {item['sha256']!r} is no checksum. Write 64 hexadecimal digits, "
            "as `sha256sum` prints them, or none for a list that changes"
        )
    if item["max_bytes"] < 1 or item["timeout_seconds"] < 1:
        raise SourceError(f"blacklist_urls: limits of {url} are not positive. Write bytes and seconds from 1")
    pinned = None if checksum == ANY_CONTENT else checksum
    return Address(url, pinned, int(item["max_bytes"]), int(item["timeout_seconds"]))


def fetch_all(items: Sequence[Mapping[str, Any]], cache_dir: Path) -> tuple[list[Source], list[str]]:
    """Return the content of each URL, and a warning for each that is a former copy.

    :raises SourceError: there is neither
    """
    cache = Cache(cache_dir)
    sources, warnings = [], []
    for address in map(read_address, items):
        copy = cache.read(address)
        try:
            text = _current(address, copy, cache)
        except SourceError as error:
            if copy is None:
                raise SourceError(
                    f"{error}. There is no former copy to go on with; nothing was changed"
                ) from error
            warnings.append(f"{error}. Its last good copy, of {copy.fetched}, stays in use")
            text = copy.text
        sources.append(Source(address.name, text))
    return sources, warnings


@dataclass(frozen=True)
class Copy:
    """A former content of a URL: its checksum, when it came (UTC), and what to ask the server with."""

    text: str
    sha256: str
    fetched: str
    validators: Mapping[str, str]


class Cache:
    """The last good copy of each URL: the content, and a file about it. Neither counts without the other."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def _path(self, address: Address, kind: str) -> Path:
        return self._directory / f"{hashlib.sha256(address.url.encode()).hexdigest()[:32]}.{kind}"

    def read(self, address: Address) -> Copy | None:
        """Return the copy; None when there is none, or it was changed on the disk."""
        try:
            content = self._path(address, "list").read_bytes()
            about = json.loads(self._path(address, "json").read_text(encoding="utf-8"))
            checksum, fetched, validators = about["sha256"], about["fetched"], dict(about["validators"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if hashlib.sha256(content).hexdigest() != checksum:
            return None
        return Copy(content.decode("utf-8", "replace"), checksum, str(fetched), validators)

    def write(self, address: Address, content: bytes, validators: Mapping[str, str]) -> None:
        """Keep a copy.

        :raises SourceError: it cannot be kept
        """
        about = {
            "url": address.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "fetched": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
            "validators": dict(validators),
        }
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with whole_file.locked(self._directory):
                whole_file.replace(self._path(address, "list"), content)
                whole_file.replace(self._path(address, "json"), json.dumps(about, indent=1).encode())
        except whole_file.Busy:
            raise SourceError(f"{self._directory}: another run writes there. Run again later") from None
        except OSError as error:
            raise SourceError(
                f"{address.name}: no copy of it can be kept in {self._directory}: {error.strerror}. "
                "Make room there, or let this user write there"
            ) from error


def _current(address: Address, copy: Copy | None, cache: Cache) -> str:
    """Return the content as it is now, and keep it."""
    if copy and copy.sha256 == address.sha256:
        return copy.text  # it can be nothing else
    # A copy with another checksum than the wanted one is no reason to ask only for a newer content.
    answer = fetch(address, copy.validators if copy and address.sha256 is None else {})
    if answer is None:
        assert copy is not None  # only a server asked with a copy's validators may say so
        return copy.text
    content, validators = answer
    found = hashlib.sha256(content).hexdigest()
    if address.sha256 not in (None, found):
        raise SourceError(f"{address.name}: its content has the checksum {found}, not the wanted one")
    source = Source(address.name, content.decode("utf-8", "replace"))
    refuse_unfit(source)
    if not source.plain.entries:
        raise SourceError(f"{address.name}: its content has no entry")
    cache.write(address, content, validators)
    return source.text
