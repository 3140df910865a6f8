# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The controller's sources of a block list: plain files, and URLs with the last good copy of each."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from ansible_collections.callcenter.pbx.plugins.module_utils.block_list import describe_faults, parse_plain

ANY_CONTENT = "none"
SCHEMES = ("http", "https")
MOST_REDIRECTIONS = 5
_CHUNK_BYTES = 1 << 16
_NOT_MODIFIED = 304
_VALIDATORS = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}


class SourceError(Exception):
    """A source cannot be used; the text names it, the fault and the remedy."""


@dataclass(frozen=True)
class Source:
    """One list as it came: how messages name it, and its text."""

    name: str
    text: str


@dataclass(frozen=True)
class Address:
    """A URL of a list: the checksum its content must have (None: any), and its limits."""

    url: str
    sha256: str | None
    max_bytes: int
    timeout_seconds: int

    @property
    def name(self) -> str:
        """The URL without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


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


def read_files(paths: Sequence[str]) -> list[Source]:
    """Read plain files.

    :raises SourceError: one cannot be read, or is no list
    """
    found = []
    for path in paths:
        try:
            source = Source(path, Path(path).read_bytes().decode("utf-8", "replace"))
        except OSError as error:
            raise SourceError(
                f"{path}: {error.strerror}. Correct blacklist_files; nothing was changed"
            ) from error
        refuse_garbage(source)
        found.append(source)
    return found


def refuse_garbage(source: Source) -> None:
    """Raise `SourceError` for a text that is mostly no block list."""
    plain = parse_plain(source.text)
    if plain.is_mostly_garbage:
        raise SourceError(
            f"{source.name} is no block list: {len(plain.faults)} of {len(plain.faults) + plain.entries} "
            "lines mean nothing. The list that runs stays as it is. "
            f"{describe_faults(source.name, plain.faults)}"
        )


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
        """Keep a copy."""
        about = {
            "url": address.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "fetched": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
            "validators": dict(validators),
        }
        self._directory.mkdir(parents=True, exist_ok=True)
        _replace(self._path(address, "list"), content)
        _replace(self._path(address, "json"), json.dumps(about, indent=1).encode())


def _replace(path: Path, content: bytes) -> None:
    """Replace a file as a whole; several runs may do so at once."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _current(address: Address, copy: Copy | None, cache: Cache) -> str:
    """Return the content as it is now, and keep it."""
    if copy and copy.sha256 == address.sha256:
        return copy.text  # it can be nothing else
    # A copy with another checksum than the wanted one is no reason to ask only for a newer content.
    answer = _fetch(address, copy.validators if copy and address.sha256 is None else {})
    if answer is None:
        assert copy is not None  # only a server asked with a copy's validators may say so
        return copy.text
    content, validators = answer
    found = hashlib.sha256(content).hexdigest()
    if address.sha256 not in (None, found):
        raise SourceError(f"{address.name}: its content has the checksum {found}, not the wanted one")
    source = Source(address.name, content.decode("utf-8", "replace"))
    refuse_garbage(source)
    if not parse_plain(source.text).entries:
        raise SourceError(f"{address.name}: its content has no entry")
    cache.write(address, content, validators)
    return source.text


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows a few, never from https to http, and to nothing but the web."""

    max_redirections = MOST_REDIRECTIONS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in SCHEMES or (req.type == "https" and scheme != "https"):
            raise urllib.error.URLError(f"it redirects to {scheme}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(address: Address, validators: Mapping[str, str]) -> tuple[bytes, dict[str, str]] | None:
    """Return content and validators; None when it is still the copy's.

    :raises SourceError: it cannot be had within its limits
    """
    deadline = time.monotonic() + address.timeout_seconds
    request = urllib.request.Request(
        address.url, headers={"User-Agent": "callcenter", "Accept-Encoding": "identity", **validators}
    )
    opener = urllib.request.build_opener(_Redirections)
    try:
        with opener.open(request, timeout=address.timeout_seconds) as reply:
            content = _read(cast(http.client.HTTPResponse, reply), address, deadline)
            told = {asked: reply.headers[header] for asked, header in _VALIDATORS.items()}
            return content, {asked: value for asked, value in told.items() if value}
    except urllib.error.HTTPError as error:
        if error.code == _NOT_MODIFIED and validators:
            return None
        raise SourceError(f"{address.name}: the server answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise SourceError(f"{address.name}: cannot be fetched: {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceError(f"{address.name}: cannot be fetched: {error or type(error).__name__}") from error


def _read(reply: http.client.HTTPResponse, address: Address, deadline: float) -> bytes:
    content = bytearray()
    while chunk := reply.read1(_CHUNK_BYTES):
        content += chunk
        if len(content) > address.max_bytes:
            raise SourceError(f"{address.name}: is longer than max_bytes, {address.max_bytes}")
        if time.monotonic() > deadline:
            raise SourceError(f"{address.name}: was not complete after {address.timeout_seconds} s")
    length = reply.headers["Content-Length"]
    if length and length.isdigit() and len(content) < int(length):
        raise SourceError(f"{address.name}: ended after {len(content)} of {length} bytes")
    return bytes(content)
