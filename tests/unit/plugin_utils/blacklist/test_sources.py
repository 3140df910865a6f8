"""Sources of a block list: files, and URLs fetched from a server on this machine."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.sources import (
    Source,
    SourceError,
    read_files,
    refuse_unfit,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.urls import fetch_all, read_address

GOOD = b"# list\n203.0.113.7\n203.0.113.9\n"
OTHER = b"203.0.113.10\n"


class Web:
    """A server whose answers a test sets: path -> (status, headers, body), and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[dict[str, str]] = []
        self.pause = 0.0
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(dict(self.headers))
                status, headers, body = web.answers.get(self.path, (404, {}, b""))
                if status == 200 and headers.get("ETag") == self.headers["If-None-Match"] is not None:
                    status, body = 304, b""
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for begin in range(0, len(body), 10):
                        self.wfile.write(body[begin : begin + 10])
                        time.sleep(web.pause)
                except OSError:
                    pass  # the client had enough

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def url(self, path: str = "/list") -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Trickle:
    """A server that sends its first answer a byte at a time, over `seconds`, and then has no more."""

    def __init__(self, answer: bytes, seconds: float) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._answer, self._pause = answer, seconds / len(answer)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/list"

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            for sign in self._answer:
                try:
                    connection.send(bytes([sign]))
                except OSError:
                    return  # the client had enough
                if self._is_over.wait(self._pause):
                    return

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._listening.close()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


def item(url: str, sha256: str = "none", max_bytes: int = 1000, timeout_seconds: int = 5) -> dict[str, Any]:
    return {"url": url, "sha256": sha256, "max_bytes": max_bytes, "timeout_seconds": timeout_seconds}


def test_files_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"203.0.113.7\r\n")
    (tmp_path / "b").write_bytes(b"caf\xe9\n203.0.113.9\n")
    found = read_files([str(tmp_path / "b"), str(tmp_path / "a")])
    assert [source.text for source in found] == ["caf\ufffd\n203.0.113.9\n", "203.0.113.7\r\n"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(
            "nonsense\n" * 6 + "203.0.113.7\n", "is no block list: 6 of 7 lines mean nothing", id="garbage"
        ),
        pytest.param(
            "nonsense\n" * 1_000_000,
            "is no block list: 10001 of the first 10001 lines mean nothing",
            id="very much garbage",
        ),
        pytest.param("203.0.113.7\n8.0.0.0/7\n", "names 8.0.0.0/7, wider than /8: nobody", id="too wide"),
        pytest.param(
            "0.0.0.0/1\n128.0.0.0/1\n::/0",
            r"names 0.0.0.0/1, wider than /8 \(and 2 more such\)",
            id="everything",
        ),
    ],
)
def test_files_that_cannot_be_used_are_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "list").write_text(content)
    with pytest.raises(SourceError, match=message):
        for source in read_files([str(tmp_path / "list")]):
            refuse_unfit(source)


@pytest.mark.parametrize("text", ["8.0.0.0/8", "2000::/16", "224.0.0.0/3 # multicast and reserved"])
def test_lists_with_wide_networks_that_are_used(text: str) -> None:
    refuse_unfit(Source("list", text))


def test_content_is_fetched_and_kept(web: Web, tmp_path: Path) -> None:
    web.answers["/list"] = (200, {}, GOOD)
    name = web.url().replace("/list", "/list")
    assert fetch_all([item(web.url())], tmp_path) == ([Source(name, GOOD.decode())], [])
    web.answers.clear()
    sources, (warning,) = fetch_all([item(web.url())], tmp_path)
    assert sources == [Source(name, GOOD.decode())]
    assert warning.startswith(f"{name}: the server answers 404 Not Found. Its last good copy, of ")


def test_what_has_not_changed_is_not_sent_again(web: Web, tmp_path: Path) -> None:
    web.answers["/list"] = (200, {"ETag": '"1"'}, GOOD)
    first = fetch_all([item(web.url())], tmp_path)
    assert fetch_all([item(web.url())], tmp_path) == first
    assert [asked.get("If-None-Match") for asked in web.asked] == [None, '"1"']
    web.answers["/list"] = (200, {"ETag": '"2"'}, OTHER)
    assert fetch_all([item(web.url())], tmp_path)[0][0].text == OTHER.decode()


def test_content_of_the_wanted_checksum_is_fetched_once(web: Web, tmp_path: Path) -> None:
    web.answers["/list"] = (200, {}, GOOD)
    wanted = item(web.url(), hashlib.sha256(GOOD).hexdigest().upper())
    assert fetch_all([wanted], tmp_path) == fetch_all([wanted], tmp_path)
    assert len(web.asked) == 1


BAD = [
    pytest.param(
        (200, {}, OTHER), {"sha256": hashlib.sha256(GOOD).hexdigest()}, "not the wanted one", id="checksum"
    ),
    pytest.param((200, {}, b"203.0.113.7\n" * 100), {}, "longer than max_bytes, 1000", id="too long"),
    pytest.param((200, {}, b"<p>\n" * 20), {}, "is no block list: 20 of 20 lines", id="a page"),
    pytest.param((200, {}, b"203.0.113.7\n8.0.0.0/7\n"), {}, "names 8.0.0.0/7, wider than /8", id="too wide"),
    pytest.param((200, {}, b"# nothing\n"), {}, "its content has no entry", id="empty"),
    pytest.param((200, {"Content-Length": "99"}, OTHER), {}, "cannot be fetched|ended after", id="cut off"),
    pytest.param((500, {}, b""), {}, "answers 500", id="error"),
    pytest.param(
        (302, {"Location": "file:///etc/passwd"}, b""), {}, "redirects to file|answers 302", id="to a file"
    ),
    pytest.param((302, {"Location": "/list"}, b""), {}, "answers 302", id="in circles"),
]


@pytest.mark.parametrize(("answer", "limits", "message"), BAD)
def test_bad_content_is_not_used(
    web: Web, tmp_path: Path, answer: tuple[int, dict[str, str], bytes], limits: dict[str, Any], message: str
) -> None:
    web.answers["/list"] = answer
    wanted = {**item(web.url(), timeout_seconds=1), **limits}
    with pytest.raises(SourceError, match=message) as refused:
        fetch_all([wanted], tmp_path)
    assert "no former copy" in str(refused.value)
    web.answers["/list"] = (200, {}, GOOD)
    fetch_all([item(web.url())], tmp_path)
    web.answers["/list"] = answer
    sources, warnings = fetch_all([wanted], tmp_path)
    if "sha256" not in limits:
        assert "stays in use" in warnings[0]
    assert sources[0].text == GOOD.decode()


def test_a_fetch_has_a_deadline_as_a_whole(web: Web, tmp_path: Path) -> None:
    web.answers["/list"] = (200, {}, b"203.0.113.7\n" * 50)
    web.pause = 0.05
    began = time.monotonic()
    with pytest.raises(SourceError, match="was not complete after 1 s"):
        fetch_all([item(web.url(), timeout_seconds=1)], tmp_path)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200, id="headers"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /list\r\n" + b"X: x\r\n" * 30, id="a redirection"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"203.0.113.7\n" * 20, id="content"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 200, id="size of a chunk"
        ),
    ],
)
def test_a_server_that_trickles_is_not_waited_for(tmp_path: Path, answer: bytes) -> None:
    server = Trickle(answer, seconds=30)
    began = time.monotonic()
    try:
        with pytest.raises(SourceError, match="was not complete after 1 s"):
            fetch_all([item(server.url(), timeout_seconds=1)], tmp_path)
        assert time.monotonic() - began < 5
    finally:
        server.close()


def test_the_content_of_a_redirection_is_not_read(web: Web, tmp_path: Path) -> None:
    web.answers["/old"] = (301, {"Location": "/list"}, b"x" * 1000)
    web.answers["/list"] = (200, {}, GOOD)
    web.pause = 0.05
    sources, _ = fetch_all([item(web.url("/old"), timeout_seconds=3)], tmp_path)
    assert sources[0].text == GOOD.decode()


def test_what_a_server_says_reaches_no_terminal_as_it_is(tmp_path: Path) -> None:
    server = Trickle(b"HTTP/1.1 500 \x1b[2J" + b"x" * 1000 + b"\r\n\r\n", seconds=0.1)
    try:
        with pytest.raises(SourceError) as refused:
            fetch_all([item(server.url())], tmp_path)
    finally:
        server.close()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


def test_redirections_are_followed(web: Web, tmp_path: Path) -> None:
    web.answers["/old"] = (301, {"Location": "/list"}, b"")
    web.answers["/list"] = (200, {}, GOOD)
    assert fetch_all([item(web.url("/old"))], tmp_path)[0][0].text == GOOD.decode()


def test_a_copy_that_was_changed_on_the_disk_does_not_count(web: Web, tmp_path: Path) -> None:
    web.answers["/list"] = (200, {}, GOOD)
    fetch_all([item(web.url())], tmp_path)
    (copy,) = tmp_path.glob("*.list")
    copy.write_bytes(OTHER)
    web.answers.clear()
    with pytest.raises(SourceError, match="no former copy"):
        fetch_all([item(web.url())], tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"url": "file:///etc/passwd"}, "not accepted", id="file"),
        pytest.param({"url": "ftp://lists.example.org/a"}, "not accepted", id="ftp"),
        pytest.param({"url": "https://"}, "not accepted", id="no host"),
        pytest.param({"url": "http://lists.example.org:99999/"}, "not accepted", id="no port"),
        pytest.param({"sha256": "abc"}, "is no checksum", id="short checksum"),
        pytest.param({"sha256": ""}, "is no checksum", id="no checksum"),
        pytest.param({"max_bytes": 0}, "not positive", id="no bytes"),
    ],
)
def test_addresses_that_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_address({**item("https://lists.example.org/a"), **changes})


def test_messages_leave_out_what_a_url_may_hide() -> None:
    address = read_address(item("https://user:secret@lists.example.org:8443/a?token=secret"))
    assert address.name == "https://lists.example.org:8443/a"
