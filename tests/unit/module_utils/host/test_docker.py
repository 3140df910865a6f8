"""The client of the Docker engine's socket, against a server that answers as the engine does."""

from __future__ import annotations

import json
import socketserver
import struct
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
    DockerEngine,
    DockerError,
    DockerTimeout,
    DockerUnavailable,
    ExecResult,
    split_stream,
)


def frame(stream: int, data: bytes) -> bytes:
    """One frame of Docker's multiplexed stream."""
    return struct.pack(">BxxxL", stream, len(data)) + data


STREAM_CASES = {
    "empty": (b"", ("", "")),
    "both streams": (frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"more"), ("out\nmore", "err\n")),
    "a character cut by a frame": (frame(1, b"\xc3") + frame(1, b"\xa4"), ("ä", "")),
    "a cut connection": (frame(1, b"whole") + frame(1, b"half-sent")[:12], ("wholehalf", "")),
}


@pytest.mark.parametrize(("raw", "expected"), STREAM_CASES.values(), ids=STREAM_CASES)
def test_streams_are_told_apart(raw: bytes, expected: tuple[str, str]) -> None:
    assert split_stream(raw) == expected


def test_merged_streams_keep_their_order() -> None:
    assert split_stream(frame(2, b"a") + frame(1, b"b") + frame(2, b"c"), merge=True) == ("abc", "")


class Engine(BaseHTTPRequestHandler):
    """Answers like an engine that has one container, ``pbx``."""

    requests: list[tuple[str, str, Any]]
    stuck = threading.Event()

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        type(self).requests.append((self.command, self.path, body))
        if self.path == "/exec/e1/start":
            self.reply(200, frame(1, b"said\n") + frame(2, b"warned\n"), "application/vnd.docker.raw-stream")
        elif self.path == "/exec/e1/json":
            self.reply_json(200, {"ExitCode": 3})
        elif self.path == "/containers/pbx/exec":
            self.reply_json(201, {"Id": "e1"})
        elif self.path == "/containers/pbx/json":
            self.reply_json(200, {"Id": "c1"})
        elif self.path.startswith("/stuck"):
            self.stuck.wait(10)
        elif self.path == "/_ping":
            self.reply(200, b"OK", "text/plain")
        else:
            self.reply_json(404, {"message": "No such container: other"})

    do_GET = do_POST = do_DELETE = answer

    def reply_json(self, status: int, value: Any) -> None:
        self.reply(status, json.dumps(value).encode(), "application/json")

    def reply(self, status: int, data: bytes, content_type: str) -> None:
        # Without a length, the end of the connection ends the answer, as with the engine's streams.
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    Engine.requests = []
    Engine.stuck.clear()
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "docker.sock")
        server = socketserver.ThreadingUnixStreamServer(path, Engine)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield DockerEngine(path, timeout=5)
        finally:
            Engine.stuck.set()
            server.shutdown()
            server.server_close()


def test_a_command_runs_and_reports_both_streams_and_its_exit_code(engine: DockerEngine) -> None:
    assert engine.exec("pbx", ["asterisk", "-V"], user="15060") == ExecResult(3, "said\n", "warned\n")
    assert Engine.requests[0] == (
        "POST",
        "/containers/pbx/exec",
        {"AttachStdout": True, "AttachStderr": True, "Cmd": ["asterisk", "-V"], "User": "15060"},
    )


def test_what_does_not_exist_is_none(engine: DockerEngine) -> None:
    assert engine.container("pbx") == {"Id": "c1"}
    assert engine.container("other") is None
    assert engine.image("other:1") is None


def test_removing_an_absent_container_is_fine(engine: DockerEngine) -> None:
    engine.remove_container("other")


def test_a_refusal_carries_the_engines_words(engine: DockerEngine) -> None:
    with pytest.raises(DockerError, match="No such container: other") as caught:
        engine.exec("other", ["true"])
    assert caught.value.status == 404


def test_a_silent_engine_times_out(engine: DockerEngine) -> None:
    engine.timeout = 0.2
    with pytest.raises(DockerTimeout, match="not over after"):
        engine.get("/stuck")


def test_an_absent_engine_is_told_from_a_broken_one(tmp_path: Path, engine: DockerEngine) -> None:
    assert engine.available()
    absent = DockerEngine(str(tmp_path / "none.sock"))
    assert not absent.available()
    with pytest.raises(DockerUnavailable, match="no Docker engine answers"):
        absent.get("/info")
