"""A College Board for these tests alone: the contract as they read it, and every way to misbehave on the wire.

What it does by itself is the documented conversation. :meth:`FakeCollegeBoard.play` puts other answers first.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

EMAIL = "registrar@college.edu"
PASSWORD = "pa55 wörd/with?odd&signs"
NEWS = {"4866": b"".join(b"%-950d\n" % number for number in range(300)), "0901": b"%-950d\n" % 1}

Answer = Callable[["Handler"], None]


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    kind: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class FakeCollegeBoard:
    """A server on loopback, with a memory."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.tokens: list[str] = []
        self.recorded: list[str] = []
        self.files: dict[str, bytes] = {}
        self.news = dict(NEWS)
        self.takes = 0.0  # seconds to generate a file
        self._plays: dict[str, deque[Answer]] = {kind: deque() for kind in ("login", "order", "download", "record")}
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.fake = self  # type: ignore[attr-defined]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls is not None else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> FakeCollegeBoard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def origin(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/aposrd-api-prod"

    def play(self, kind: str, *answers: Answer) -> None:
        """Answer the next requests of a kind like this."""
        self._plays[kind].extend(answers)

    def count(self, kind: str) -> int:
        return sum(seen.kind == kind for seen in self.seen)

    def requests(self, kind: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.kind == kind]

    def expire_tokens(self) -> None:
        self.tokens.clear()

    def answer(self, handler: Handler, seen: Seen) -> None:
        self.seen.append(seen)
        plays = self._plays[seen.kind]
        if plays:
            return plays.popleft()(handler)
        token = seen.headers.get("x-cb-catapult-authorization-token")
        if seen.headers.get("x-cb-catapult-authentication-token") != "CBLogin Web Service":
            return handler.reply(400, b"the authentication header is missing")
        if seen.kind != "login" and token not in self.tokens:
            return handler.reply(401, b"")
        getattr(self, f"_{seen.kind}")(handler, seen)

    def _login(self, handler: Handler, seen: Seen) -> None:
        if seen.body != {"u": EMAIL, "p": base64.b64encode(PASSWORD.encode()).decode()}:
            return refuse("Invalid username or password")(handler)
        self.tokens.append(f"t0ken.{len(self.tokens)}.{'x' * 40}")
        succeed(authToken=self.tokens[-1])(handler)

    def _order(self, handler: Handler, seen: Seen) -> None:
        time.sleep(self.takes)
        content = self.news.get(seen.body["diCode"])
        if content is None:
            return refuse("There were no score orders found.")(handler)
        number = 7300 + len(self.files)
        self.files[str(number)] = content
        succeed(**self.offer(number))(handler)

    def offer(self, number: int) -> dict[str, Any]:
        url = f"{self.origin}/files/{number}?Expires=4102444800&Signature=s1gnature{number}&Key-Pair-Id=KP1"
        return {"url": url, "fileName": "AP_HED_Scores_4866_07152026_0930.txt", "downloadId": number}

    def _download(self, handler: Handler, seen: Seen) -> None:
        content = self.files.get(seen.path.rpartition("/")[2])
        handler.reply(200, content, {"Content-Type": "application/octet-stream"}) if content else handler.reply(404)

    def _record(self, handler: Handler, seen: Seen) -> None:
        self.recorded.append(seen.body["downloadId"])
        succeed()(handler)


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # 20 campuses at once shall not wait for their SYN to be sent again


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kinds = {"webServiceAuth": "login", "fileGeneration": "order", "webServiceDownloaded": "record"}
        self._answer(kinds[self.path.rpartition("/")[2]], body)

    def do_GET(self) -> None:
        self._answer("download", {})

    def _answer(self, kind: str, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        with contextlib.suppress(ConnectionError):
            self.fake.answer(self, Seen(kind, urlsplit(self.path).path, headers, body))

    @property
    def fake(self) -> FakeCollegeBoard:
        return self.server.fake  # type: ignore[attr-defined,no-any-return]

    def reply(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, sent: int | None = None
    ) -> None:
        """Answer; with *sent*, only so many bytes of the body."""
        headers = {"Content-Length": str(len(body)), **(headers or {})}
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()

    def hang_up(self, *, rudely: bool = False) -> None:
        if rudely:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with contextlib.suppress(OSError):
            if not rudely:
                self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()
            self.rfile.close()

    def log_message(self, *_: Any) -> None:
        pass


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda handler: handler.reply(code, body, {name.replace("_", "-"): value for name, value in headers.items()})


def succeed(**fields: Any) -> Answer:
    return status(200, json.dumps({"success": True, "message": "Success", **fields}).encode())


def refuse(message: str, code: int = 200) -> Answer:
    return status(code, json.dumps({"success": False, "message": message}).encode())


def page(code: int = 200) -> Answer:
    return status(code, b"<!DOCTYPE html><html><body>Down for maintenance</body></html>", Content_Type="text/html")


def hang_up(handler: Handler) -> None:
    """The connection ends without an answer."""
    handler.hang_up()


def reset(handler: Handler) -> None:
    handler.hang_up(rudely=True)


def silence(handler: Handler) -> None:
    """No answer for longer than the tests' shortest time-out."""
    time.sleep(0.6)
    handler.hang_up()


def cut(share: float, *, rudely: bool = False) -> Answer:
    """A file that ends early."""

    def answer(handler: Handler) -> None:
        content = handler.fake.files[urlsplit(handler.path).path.rpartition("/")[2]]
        handler.reply(200, content, sent=int(len(content) * share))
        handler.hang_up(rudely=rudely)

    return answer


def cut_chunks(handler: Handler) -> None:
    """A chunked answer without its last chunk."""
    handler.reply(200, b"3b7\r\n" + NEWS["0901"] + b"\r\n", {"Content-Length": "", "Transfer-Encoding": "chunked"})
    handler.hang_up()


def redirect(url: str, code: int = 302) -> Answer:
    return status(code, b"moved", Location=url)
