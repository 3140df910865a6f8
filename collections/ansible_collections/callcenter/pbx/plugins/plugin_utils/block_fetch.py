# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Fetch a text from the web within limits."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, cast
from urllib.parse import urlsplit

from ansible_collections.callcenter.pbx.plugins.plugin_utils.block_sources import SourceError

SCHEMES = ("http", "https")
MOST_REDIRECTIONS = 5
_CHUNK_BYTES = 1 << 16
_NOT_MODIFIED = 304
_VALIDATORS = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}


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
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(address: Address, validators: Mapping[str, str]) -> tuple[bytes, dict[str, str]] | None:
    """Return the content of a URL, and the headers to ask with the next time.

    :param validators: headers of a copy that may still be right
    :returns: None when that copy is still right
    :raises SourceError: the content cannot be had within the limits
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
