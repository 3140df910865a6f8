"""A small client of the Docker engine's HTTP API over its unix socket.

Standard library only: the modules run on servers where no Docker SDK is installed, and starting the
``docker`` command costs more than the request itself. Paths carry no version prefix, so the engine
answers with its own newest API; only fields that exist since API 1.41 (Docker 20.10) are used.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

DEFAULT_SOCKET = "/var/run/docker.sock"

_STREAM_HEADER = struct.Struct(">BxxxL")
_STDERR = 2


class DockerError(Exception):
    """The engine refused a request; ``status`` is its HTTP status (0: no answer at all)."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class DockerUnavailable(DockerError):
    """No engine answers on the socket: not installed, not started, or not permitted."""


class DockerTimeout(DockerError):
    """The engine answers, but the operation was not over by its deadline."""


@dataclass(frozen=True)
class ExecResult:
    """What one command run in a container left behind."""

    exit_code: int
    stdout: str
    stderr: str


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; the host name is only for the Host header."""

    def __init__(self, socket_path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._socket_path = socket_path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)


class DockerEngine:
    """Requests to one engine. Every method raises `DockerError` (or a subclass) on failure.

    :param socket_path: the engine's unix socket
    :param timeout: seconds one request may be silent, unless the method takes its own
    """

    def __init__(self, socket_path: str = DEFAULT_SOCKET, timeout: float = 30.0) -> None:
        self.socket_path = socket_path
        self.timeout = timeout

    # -- plain requests ------------------------------------------------------------------

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the parsed JSON answer of a GET, e.g. ``get("/info")``."""
        return _parse(self._request("GET", path, query))

    def post(self, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """POST ``body`` as JSON (None: no body) and return the parsed answer, None when empty."""
        return _parse(self._request("POST", path, query, body))

    def delete(self, path: str, query: Mapping[str, Any] | None = None) -> None:
        """DELETE a resource."""
        self._request("DELETE", path, query)

    # -- what the engine knows -----------------------------------------------------------

    def available(self) -> bool:
        """Tell whether an engine answers."""
        try:
            self._request("GET", "/_ping")
        except DockerUnavailable:
            return False
        return True

    def image(self, reference: str) -> dict[str, Any] | None:
        """Return the inspection of an image, None when the host does not have it."""
        return self._inspect(f"/images/{quote(reference, safe='/:@')}/json")

    def container(self, name: str) -> dict[str, Any] | None:
        """Return the inspection of a container, None when there is none of that name or id."""
        return self._inspect(f"/containers/{quote(name, safe='')}/json")

    def network(self, name: str) -> dict[str, Any] | None:
        """Return the inspection of a network, None when there is none of that name or id."""
        return self._inspect(f"/networks/{quote(name, safe='')}")

    # -- containers ----------------------------------------------------------------------

    def create_container(self, config: Mapping[str, Any], name: str = "") -> str:
        """Create a container from an API ``ContainerCreate`` body and return its id."""
        answer = self.post("/containers/create", config, {"name": name} if name else None)
        return str(answer["Id"])

    def start_container(self, container: str) -> None:
        """Start a container; one that runs already is left alone."""
        self._request("POST", f"/containers/{quote(container, safe='')}/start")

    def restart_container(self, container: str, grace_seconds: int) -> None:
        """Restart a container, killing it when it has not stopped after ``grace_seconds``."""
        self._request(
            "POST",
            f"/containers/{quote(container, safe='')}/restart",
            {"t": grace_seconds},
            timeout=self.timeout + grace_seconds,
        )

    def remove_container(self, container: str) -> None:
        """Remove a container with its anonymous volumes, running or not; an absent one is fine."""
        try:
            self.delete(f"/containers/{quote(container, safe='')}", {"force": "true", "v": "true"})
        except DockerError as error:
            if error.status != http.client.NOT_FOUND:
                raise

    def logs(self, container: str, tail: int = 200) -> str:
        """Return the last ``tail`` lines a container wrote, both streams in order."""
        query = {"stdout": "true", "stderr": "true", "tail": tail}
        raw = self._request("GET", f"/containers/{quote(container, safe='')}/logs", query)
        return "".join(split_stream(raw, merge=True))

    def exec(
        self, container: str, argv: Sequence[str], *, user: str = "", timeout: float | None = None
    ) -> ExecResult:
        """Run ``argv`` in a running container and wait for its end.

        :param user: the container's own user when empty
        :param timeout: seconds until `DockerTimeout`; the command itself is not killed then
        """
        limit = self.timeout if timeout is None else timeout
        body: dict[str, Any] = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}
        if user:
            body["User"] = user
        exec_id = self.post(f"/containers/{quote(container, safe='')}/exec", body)["Id"]
        raw = self._request(
            "POST", f"/exec/{exec_id}/start", body={"Detach": False, "Tty": False}, timeout=limit
        )
        stdout, stderr = split_stream(raw)
        code = self.get(f"/exec/{exec_id}/json").get("ExitCode")
        return ExecResult(-1 if code is None else int(code), stdout, stderr)

    # -- machinery -----------------------------------------------------------------------

    def _inspect(self, path: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self.get(path)
        except DockerError as error:
            if error.status == http.client.NOT_FOUND:
                return None
            raise
        return answer

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = None,
    ) -> bytes:
        limit = self.timeout if timeout is None else timeout
        connection = _UnixConnection(self.socket_path, limit)
        target = f"{path}?{urlencode(query)}" if query else path
        payload = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.connect()
        except OSError as error:
            raise DockerUnavailable(
                f"no Docker engine answers on {self.socket_path}: {error.strerror or error}"
            ) from error
        # Kept beside the connection: a response without a length detaches it from there.
        stream = connection.sock
        try:
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            data = _read_all(response, stream, time.monotonic() + limit)
        except TimeoutError as error:
            raise DockerTimeout(f"{method} {path}: not over after {limit:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise DockerError(f"{method} {path}: {_refusal(data)}", response.status)
        return data


def split_stream(raw: bytes, *, merge: bool = False) -> tuple[str, str]:
    """Split Docker's multiplexed stream into (stdout, stderr); ``merge`` puts all into stdout.

    Each frame is one byte of stream number, three of padding, the length as a big-endian 32-bit
    number, then the bytes. An incomplete last frame (a cut connection) is taken as far as it goes.
    """
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    at = 0
    while at + _STREAM_HEADER.size <= len(raw):
        stream, length = _STREAM_HEADER.unpack_from(raw, at)
        at += _STREAM_HEADER.size
        parts[1 if stream == _STDERR and not merge else 0].append(raw[at : at + length])
        at += length
    return b"".join(parts[0]).decode("utf-8", "replace"), b"".join(parts[1]).decode("utf-8", "replace")


def _read_all(response: http.client.HTTPResponse, stream: socket.socket, deadline: float) -> bytes:
    """Read a body to its end; TimeoutError at the deadline even when bytes keep trickling in."""
    chunks: list[bytes] = []
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        if stream.fileno() >= 0:
            stream.settimeout(remaining)
        chunk = response.read1(65536)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def _parse(data: bytes) -> Any:
    return json.loads(data) if data.strip() else None


def _refusal(data: bytes) -> str:
    """The engine's own sentence out of an error answer."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode("utf-8", "replace").strip() or "refused without a reason"
