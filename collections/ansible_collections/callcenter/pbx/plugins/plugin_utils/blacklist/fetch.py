# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Fetch a text from the web within limits, whatever the server does.

A socket's own timeout is for one step, so a server that sends a byte a second never meets it, and a name
server meets none at all. So the transfer has a thread of its own, which is not waited for beyond the limit;
what it may still bring then is small, and goes nowhere.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, cast
from urllib.parse import urlsplit

from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.sources import SourceError

SCHEMES = ("http", "https")
MOST_REDIRECTIONS = 5
_CHUNK_BYTES = 1 << 16
_SHOWN_TEXT = 100
_NOT_MODIFIED = 304
_VALIDATORS = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}

Fetched = tuple[bytes, dict[str, str]] | None


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
        fp.close()  # its content would be read to the end, however long
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(address: Address, validators: Mapping[str, str]) -> Fetched:
    """Return the content of a URL, and the headers to ask with the next time.

    :param validators: headers of a copy that may still be right
    :returns: None when that copy is still right
    :raises SourceError: the content cannot be had within the limits
    """
    fetched: Future[Fetched] = Future()

    def work() -> None:
        try:
            fetched.set_result(_fetch(address, validators))
        except BaseException as error:
            fetched.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return fetched.result(address.timeout_seconds)
    except TimeoutError:
        raise _late(address) from None


def _late(address: Address) -> SourceError:
    return SourceError(f"{address.name}: was not complete after {address.timeout_seconds} s")


def _fetch(address: Address, validators: Mapping[str, str]) -> Fetched:
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
        raise SourceError(f"{address.name}: the server answers {error.code} {_tame(error.reason)}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _late(address) from error
        raise SourceError(f"{address.name}: cannot be fetched: {_tame(error.reason)}") from error
    except TimeoutError as error:
        raise _late(address) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = _tame(error) or type(error).__name__
        raise SourceError(f"{address.name}: cannot be fetched: {why}") from error


def _tame(said: object) -> str:
    """Return what a server may have said as part of a message: short, and nothing a terminal obeys."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(said)[: 2 * _SHOWN_TEXT])
    return " ".join(text.split())[:_SHOWN_TEXT]


def _read(reply: http.client.HTTPResponse, address: Address, deadline: float) -> bytes:
    content = bytearray()
    while chunk := reply.read1(_CHUNK_BYTES):
        content += chunk
        if len(content) > address.max_bytes:
            raise SourceError(f"{address.name}: is longer than max_bytes, {address.max_bytes}")
        if time.monotonic() > deadline:
            raise _late(address)
    length = reply.headers["Content-Length"]
    if length and length.isdigit() and len(content) < int(length):
        raise SourceError(f"{address.name}: ended after {len(content)} of {length} bytes")
    return bytes(content)
