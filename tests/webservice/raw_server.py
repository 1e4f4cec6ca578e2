"""A socket that sends scripted bytes, for what happens on the wire below the protocol."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

#: What is sent in reply to one request: bytes, or a function of the connection.
Script = bytes | Callable[[socket.socket], None]


@dataclass(frozen=True)
class Seen:
    """A request as it came; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Listener:
    """Listens on a free port, and serves each connection in a thread."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.connections = 0
        self._listener = socket.create_server((host, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.address = f"{host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def serve(self, connection: socket.socket) -> None:
        """Answer what comes over one connection."""
        raise NotImplementedError

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection)


class RawServer(Listener):
    """Sends one script for each request, in order, and closes the connection after it. The last script repeats."""

    def __init__(self, *scripts: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(host)
        self.scripts = list(scripts)
        self.seen: list[Seen] = []
        self._tls = tls
        self._lock = threading.Lock()
        self.origin = f"{'https' if tls else 'http'}://{self.address}"
        self.base_url = f"{self.origin}/api"

    def serve(self, connection: socket.socket) -> None:
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection:
            request = _read_request(connection)
            if request is None:
                return
            with self._lock:
                self.seen.append(request)
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            connection.sendall(script) if isinstance(script, bytes) else script(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _read_request(connection: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Seen(method, target, headers, body)


def http(body: bytes = b"", status: int = 200, *, length: int | None = -1, **headers: str) -> bytes:
    """A reply. *length* is the announced length: -1 for the body's, None for none."""
    lines = [f"HTTP/1.1 {status} Scripted", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == -1 else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(pieces: Iterable[bytes], **headers: str) -> bytes:
    """A reply in chunks, with its last chunk."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return http(body + b"0\r\n\r\n", length=None, Transfer_Encoding="chunked", **headers)


def json_reply(success: bool = True, status: int = 200, message: str = "ok", **fields: Any) -> bytes:
    """A JSON reply of the documented shape."""
    return http(json.dumps({"success": success, "message": message, **fields}).encode(), status)


def offer(url: str) -> bytes:
    """The reply to an order."""
    return json_reply(url=url, fileName="scores.txt", downloadId=7300)


LOGIN = json_reply(authToken="t0ken")
NOTHING_NEW = json_reply(False, message="There were no score orders found.")


def drip(head: bytes, piece: bytes, tail: bytes, *, seconds: float = 4.0, pause: float = 0.02) -> Script:
    """Send *head*, then *piece* again and again for so long, then *tail*: a reply that never quite stops."""

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(int(seconds / pause)):
            connection.sendall(piece)
            threading.Event().wait(pause)
        connection.sendall(tail)

    return send
