"""The HTTP server: it receives requests and sends replies, damaged if the reply says so.

HTTP/1.1 on loopback only, one thread per connection, kept-alive connections, files sent with constant memory.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import struct
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any

from airflow_provider_apscores.sandbox.messages import Application, Reply, Request

log = logging.getLogger("airflow_provider_apscores.sandbox")

#: Calls of the protocol are far smaller.
_LARGEST_BODY = 1 << 20


def loopback_address(host: str) -> str:
    """Return *host* as an IPv4 loopback address; ``localhost`` is 127.0.0.1.

    Raises:
        ValueError: *host* is something else. The sandbox prints its password, and its control address needs none.
    """
    address = "127.0.0.1" if host == "localhost" else host
    if not _is_loopback(address):
        raise ValueError(f"The sandbox listens on loopback only, for example 127.0.0.1, not on {host}.")
    return address


def _is_loopback(host: str) -> bool:
    """Return whether *host*, with or without a port, is ``localhost`` or an IPv4 loopback address."""
    name = host.partition(":")[0].lower()
    try:
        return name == "localhost" or ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


class Server(ThreadingHTTPServer):
    """One application on one port of 127.0.0.1."""

    daemon_threads = True
    # A thousand sensors may connect at once.
    request_queue_size = 1024

    def __init__(self, host: str, port: int, application: Application, closing: threading.Event) -> None:
        """Bind the port. The server answers after :meth:`start`.

        Args:
            host: A loopback address, IPv4.
            port: 0 for any free port.
            application: Answers the requests.
            closing: Set when the sandbox stops.
        """
        super().__init__((host, port), _Handler)
        self.application = application
        self.closing = closing
        self._thread: threading.Thread | None = None
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def start(self) -> None:
        """Start to answer, in a background thread."""
        # The default, half a second, would delay the end of every test.
        run = {"poll_interval": 0.02}
        self._thread = threading.Thread(target=self.serve_forever, kwargs=run, name="apscores-sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and close kept-alive connections, so that no client reaches a stopped sandbox."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Track the connection, then answer in a thread."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects; report other errors."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300

    def _handle(self) -> None:
        if not _is_loopback(self.headers.get("Host", "")):
            # A web page can make a browser send requests here under its own host name (DNS rebinding).
            self.close_connection = True
            return self._send(Reply(421, {"message": "The Host header must name a loopback address."}))
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            length = -1
        if "Transfer-Encoding" in self.headers or length < 0:
            self.close_connection = True
            return self._send(Reply(411, {"message": "Length Required"}))
        if length > _LARGEST_BODY:
            self.close_connection = True
            return self._send(Reply(413, {"message": "Payload Too Large"}))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        request = Request(self.command, self.path, self.headers, body)
        try:
            reply = self.server.application.answer(request)
        except Exception:
            # Distinguish this from a fault of the client under test.
            log.exception("Internal error of the sandbox.")
            reply = Reply(500, {"message": "Internal error of the sandbox; see its log."})
        return self._send(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle

    def _send(self, reply: Reply) -> None:
        if reply.delay and self.server.closing.wait(reply.delay):
            self.close_connection = True
            return
        if not reply.silent:
            if reply.file is not None:
                with reply.file.open("rb") as file:
                    self._send_body(reply, file, reply.file.stat().st_size)
            else:
                self._send_body(reply, None, len(reply.content()))
        if reply.ending:
            self._end(reply.ending)

    def _send_body(self, reply: Reply, file: IO[bytes] | None, size: int) -> None:
        count = int(size * min(reply.sent, 1.0))
        close = self.close_connection or bool(reply.ending) or reply.announced is None
        headers = {"Server": "apscores-sandbox", "Date": self.date_time_string(), "Content-Type": reply.content_type}
        headers |= reply.headers
        if reply.announced is not None:
            headers["Content-Length"] = str(int(size * reply.announced))
        if close:
            self.close_connection = True
            headers["Connection"] = "close"
        phrase = HTTPStatus(reply.status).phrase if reply.status in HTTPStatus._value2member_map_ else "Unknown"
        lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if file is None:
            self.connection.sendall(head + (b"" if self.command == "HEAD" else reply.content()[:count]))
            return
        self.connection.sendall(head)
        start = 0
        if reply.stall:
            start = self._send_part(file, 0, count // 2)
            self.server.closing.wait(reply.stall)
        # Update the state before the last byte: once a client has the whole file, the state says so.
        start += self._send_part(file, start, max(0, count - 1 - start))
        if reply.on_complete is not None:
            reply.on_complete()
        self._send_part(file, start, count - start)

    def _send_part(self, file: IO[bytes], start: int, count: int) -> int:
        return self.connection.sendfile(file, start, count) if count > 0 else 0

    def _end(self, ending: str) -> None:
        self.close_connection = True
        if ending == "reset":
            # Let the sent bytes reach the client: a reset discards what is still in buffers.
            time.sleep(0.05)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # close() sends the reset only when nothing else holds the socket.
            self.rfile.close()
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: the application logs calls, without the secrets in their addresses."""
