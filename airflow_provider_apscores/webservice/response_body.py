"""Processing of response bodies. The sink's is the only I/O.

A JSON reply is kept, up to :data:`KEPT_BYTES`. A file goes to the sink in constant memory; its bytes are decoded,
hashed, counted and written in one pass. HTML pages and error documents that come in place of a file never reach the
sink. Files are processed in a thread, one piece behind what is being received: this is faster, and a slow disk does not
block an event loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

from airflow_provider_apscores.errors import FileTooLarge, ServiceUnavailable, TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice.content_encoding import DamagedEncoding, Decoder
from airflow_provider_apscores.webservice.messages import Received, Reply, Request

#: Largest file that is accepted by default, in bytes: two million student records.
MAX_FILE_BYTES = 2 << 30
#: Decoded bytes that are kept of a body that is not a file; the rest is not read. JSON replies have a few hundred.
KEPT_BYTES = 1 << 16
#: Bytes that the thread processes at once.
_PIECE = 1 << 20
#: Bytes that are enough to tell a file from a page.
_SAMPLE = 64
#: Seconds that closing waits for a write in progress.
_LAST_WRITE = 10.0
_BLANK = b"\xef\xbb\xbf \t\r\n\x00"


class Sink(Protocol):
    """Where a file goes. ``restart()``, or else ``seek`` and ``truncate``, lets a broken transfer start again.

    It is written to from another thread than the caller's, one piece after the other.
    """

    def write(self, data: bytes, /) -> Any:
        """Take all of *data*, or return how many bytes were taken."""


class ResponseBody:
    """Processes the replies to one call: :meth:`begin`, :meth:`take` for each chunk, :meth:`flush`, :meth:`end`.

    Args:
        sink: Where a file goes; None for calls that fetch none.
        max_bytes: Largest file, before and after decoding.
    """

    def __init__(self, sink: Sink | None = None, *, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._sink_failed = False
        self._sink = sink
        self._max_bytes = max_bytes
        self._start = _position(sink)
        self._wrote = False
        self._worker: ThreadPoolExecutor | None = None
        self._work: Future[None] | None = None

    def begin(self, request: Request, status: int, headers: Mapping[str, str]) -> None:
        """Start a new reply.

        Raises:
            UnexpectedReply: A file has an encoding that is not supported.
            FileTooLarge: A file is announced to be longer than the limit.
        """
        self._what = request.what
        self._discard = request.discard
        self._reply = Reply(status, b"", dict(headers))
        self.expects_file = self._is_file = self._undecided = request.kind == "download" and status == 200
        self.full = False
        self._chunks: list[bytes] = []
        self._waiting = self._raw = self._bytes = 0
        self._held = bytearray()
        self._sha256 = hashlib.sha256()
        self._failure: BaseException | None = None
        self._announced = self._announced_length()
        self._decoder = self._decoder_for(self._reply.header("Content-Encoding"))
        if self.expects_file and self._announced is not None:
            self._check_size(self._announced)

    def take(self, chunk: bytes) -> Future[None] | None:
        """Process the next bytes, as received.

        Returns:
            A future to wait for before the next chunk, so that only a few pieces are in memory; or None.

        Raises:
            TransferBroken: Earlier bytes can't be decoded.
            FileTooLarge: The file is longer than the limit.
            Exception: What the sink raised, unchanged.
        """
        if self._failure is not None:
            raise self._failure
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        return self._submit(last=False) if self._waiting >= _PIECE or not self.expects_file else None

    def flush(self) -> Future[None] | None:
        """Process what remains. Returns a future to wait for before :meth:`end`, or None."""
        self._submit(last=True)
        return self._work

    def end(self) -> Reply:
        """Return the reply, once all of it is received or enough of it is kept.

        Raises:
            TransferBroken: It is not as long as announced, or can't be decoded.
            FileTooLarge: The file is longer than the limit.
            Exception: What the sink raised, unchanged.
        """
        if self._failure is not None:
            raise self._failure
        cut = self.expects_file and self._decoder is not None and not self._decoder.complete
        if not self.full and (cut or self._announced not in (None, self._raw)):
            raise self.broken(f"{self._raw} bytes came of {_count(self._announced)}")
        if self._is_file:
            framed = self._announced is not None or "chunked" in self._reply.header("Transfer-Encoding").lower()
            received = Received(self._bytes, self._sha256.hexdigest(), framed)
            return Reply(self._reply.status, b"", self._reply.headers, received)
        return Reply(self._reply.status, bytes(self._held), self._reply.headers)

    def broken(self, why: str) -> TransferBroken | ServiceUnavailable:
        """The error for a body that ends early."""
        if self._is_file:
            return TransferBroken(f"The transfer broke while {self._what}: {why}.")
        return ServiceUnavailable(f"The answer broke off while {self._what}: {why}.", status=self._reply.status)

    @property
    def pending(self) -> Future[None] | None:
        """The future to wait for when receiving has failed, or None."""
        return self._work

    def check_retry(self, fault: Exception) -> None:
        """Raise an error if the request can't be repeated after *fault*.

        Raises:
            Exception: What the sink raised; or *fault*, when the sink holds bytes and can't go back.
        """
        if self._sink_failed and self._failure is not None:
            raise self._failure
        if self._wrote and not self._can_restart:
            raise fault

    def close(self) -> None:
        """End the thread. Waits for a write in progress, but not longer than ten seconds."""
        if self._worker is not None:
            if self._work is not None:
                wait([self._work], _LAST_WRITE)
            self._worker.shutdown(wait=False, cancel_futures=True)
            self._worker = None

    def _submit(self, *, last: bool) -> Future[None] | None:
        piece, self._chunks, self._waiting = b"".join(self._chunks), [], 0
        if not self.expects_file:
            self._process(piece, last)
            return None
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="apscores-sink")
        before, self._work = self._work, self._worker.submit(self._process, piece, last)
        return before

    # ------------------------------------------------------------------------------------------- in the thread

    def _process(self, piece: bytes, last: bool) -> None:
        """Process a piece. Never raises: :meth:`take` and :meth:`end` raise the failure in the caller's thread."""
        if self._failure is not None or self.full:
            return
        try:
            self._raw += len(piece)
            if self._is_file:
                self._check_size(self._raw)
            for plain in self._decoded(piece):
                if self._is_file and not self._undecided:
                    self._store(plain)
                elif self._hold(plain):
                    return
            if last and self._undecided:
                self._decide()
        except BaseException as failure:
            self._failure = failure

    def _decoded(self, piece: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            yield piece
            return
        try:
            yield from self._decoder.decode(piece)
        except DamagedEncoding as damage:
            if self.expects_file:
                raise self.broken(str(damage)) from None
            self.full = True  # The status counts: a login that was answered must not be repeated.

    def _hold(self, plain: bytes) -> bool:
        """Keep bytes of a body that is not a file, or not yet known to be one; True when enough is kept."""
        self._held += plain
        if self._undecided and (len(self._held.lstrip(_BLANK)) >= _SAMPLE or len(self._held) >= KEPT_BYTES):
            self._decide()
        if not self._is_file and len(self._held) >= KEPT_BYTES:
            del self._held[KEPT_BYTES:]
            self.full = True
        return self.full

    def _decide(self) -> None:
        """Decide whether the body is a file. If so, write the kept bytes to the sink."""
        self._undecided = False
        start = bytes(self._held.lstrip(_BLANK)[:1])
        html = "html" in self._reply.header("Content-Type").lower()
        # No score file begins like markup or a JSON object.
        self._is_file = not html and start not in (b"<", b"{")
        if self._is_file:
            held, self._held = bytes(self._held), bytearray()
            if self._wrote and not self._discard:
                self._to_sink(self._restart)
            self._store(held)

    def _store(self, data: bytes) -> None:
        self._check_size(self._bytes + len(data))
        self._sha256.update(data)
        self._bytes += len(data)
        if data and not self._discard:
            self._wrote = True
            self._to_sink(self._write, data)

    def _to_sink(self, action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except BaseException:
            self._sink_failed = True
            raise

    def _write(self, data: bytes) -> None:
        sink: Any = self._sink
        taken = sink.write(data)
        while isinstance(taken, int) and 0 < taken < len(data):
            data = data[taken:]
            taken = sink.write(data)

    @property
    def _can_restart(self) -> bool:
        return hasattr(self._sink, "restart") or self._start is not None

    def _restart(self) -> None:
        sink: Any = self._sink
        if hasattr(sink, "restart"):
            sink.restart()
        elif self._start is not None:
            sink.seek(self._start)
            sink.truncate()
        else:
            raise TransferBroken(f"The transfer can't start again while {self._what}: the sink can't go back.")
        self._wrote = False

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise FileTooLarge(
                f"The file is larger than max_bytes ({self._max_bytes} bytes) while {self._what}; it was not "
                "recorded. If College Board really sends so much, raise max_bytes."
            )

    def _announced_length(self) -> int | None:
        announced = self._reply.header("Content-Length")
        return int(announced) if announced.isdecimal() else None

    def _decoder_for(self, encoding: str) -> Decoder | None:
        if encoding.strip().lower() in ("", "identity"):
            return None
        try:
            return Decoder(encoding)
        except ValueError:
            if not self.expects_file:
                return None  # Its status is enough.
        raise UnexpectedReply(f"A file in an encoding other than gzip and deflate came while {self._what}.")


def _count(announced: int | None) -> str:
    return "an unknown number" if announced is None else str(announced)


def _position(sink: Any) -> int | None:
    """The position of a sink that can go back, or None when it can't."""
    try:
        return int(sink.tell()) if sink.seekable() and hasattr(sink, "truncate") else None
    except (AttributeError, OSError):
        return None
