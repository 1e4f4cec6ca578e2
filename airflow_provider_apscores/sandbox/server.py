"""The sockets: requests in, replies out, as well or as badly as a reply says.

HTTP/1.1 on loopback, a thread a connection, connections kept alive, files sent with constant memory.
"""

from __future__ import annotations

import contextlib
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

#: No call of the protocol comes near this.
_LARGEST_BODY = 1 << 20


class Server(ThreadingHTTPServer):
    """One application on one port of 127.0.0.1."""

    daemon_threads = True
    # A thousand sensors may knock at once.
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], application: Application, closing: threading.Event) -> None:
        """Bind; nothing is answered before :meth:`start`.

        Args:
            address: IPv4 address and port; 0 for any free port.
            application: What answers.
            closing: Set when the sandbox stops.
        """
        super().__init__(address, _Handler)
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
        """Answer from now on, in a thread of its own."""
        # The default looks for a stop twice a second, which every test would wait for.
        run = {"poll_interval": 0.02}
        self._thread = threading.Thread(target=self.serve_forever, kwargs=run, name="apscores-sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and close kept-alive connections: a client must not talk on to a sandbox that is gone."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then answer in a thread."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection and close it."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300

    def _handle(self) -> None:
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
            # Whoever tests a client must see that this one is not the client's fault.
            log.exception("The sandbox itself failed.")
            reply = Reply(500, {"message": "The sandbox itself failed; see its log."})
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
        # The last byte waits for the books: whoever has the whole file finds it noted there.
        start += self._send_part(file, start, max(0, count - 1 - start))
        if reply.on_complete is not None:
            reply.on_complete()
        self._send_part(file, start, count - start)

    def _send_part(self, file: IO[bytes], start: int, count: int) -> int:
        return self.connection.sendfile(file, start, count) if count > 0 else 0

    def _end(self, ending: str) -> None:
        self.close_connection = True
        if ending == "reset":
            # What was sent shall reach the client: a reset throws away what still lies in buffers.
            time.sleep(0.05)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Only when nothing holds the socket does close() close it, and the reset go out.
            self.rfile.close()
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the application logs calls, without what is secret in their addresses."""
