"""The bytes of answers on their way in, without any I/O but the sink's.

A JSON answer is kept. A file goes to the sink in constant memory, and is hashed, measured and looked at in the same
pass: pages and error documents that come in a file's place never reach the sink. That happens in a thread, one piece
behind what is being received, since hashing, writing and receiving together take longer than each alone; and so a
slow disk does not hold up an event loop either.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

from airflow_provider_apscores.errors import ServiceUnavailable, TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice.messages import Received, Reply, Request

#: Bytes that are handed to the sink at once; also what is decompressed at once.
_PIECE = 1 << 20
#: Bytes of a body that are kept. The service's answers have some hundred.
_KEPT = 1 << 20
#: Bytes that show what a body is.
_GLANCE = 64
#: Seconds that a write under way is waited for when its call is over.
_LAST_WRITE = 10.0
_BLANK = b"\xef\xbb\xbf \t\r\n\x00"


class Sink(Protocol):
    """Where a file goes. ``restart()``, or else ``seek`` and ``truncate``, lets a broken transfer begin again.

    It is written to from another thread than the caller's, one piece after the other.
    """

    def write(self, data: bytes, /) -> Any:
        """Take all of *data*, or return how many bytes were taken."""


class ResponseBody:
    """Takes the answers to one call: :meth:`begin`, :meth:`take` for each chunk, :meth:`flush`, :meth:`end`.

    Args:
        sink: Where a file goes; None for calls that fetch none.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink_failed = False
        self._sink = sink
        self._start = _position(sink)
        self._wrote = False
        self._worker: ThreadPoolExecutor | None = None
        self._work: Future[None] | None = None

    def begin(self, request: Request, status: int, headers: Mapping[str, str]) -> None:
        """A new answer starts.

        Raises:
            UnexpectedReply: It is encoded in a way that nobody asked for.
        """
        self._what = request.what
        self._reply = Reply(status, b"", dict(headers))
        self._aside = self._is_file = self._glancing = request.kind == "download" and status == 200
        self._chunks: list[bytes] = []
        self._waiting = self._raw = self._bytes = 0
        self._held = bytearray()
        self._sha256 = hashlib.sha256()
        self._failure: BaseException | None = None
        self._decoder = self._decoder_for(self._reply.header("Content-Encoding"))

    def take(self, chunk: bytes) -> Future[None] | None:
        """The next bytes, as they came over the wire.

        Returns:
            What to wait for before the next chunk, so that no more than a few pieces are in memory; or None.

        Raises:
            TransferBroken: Earlier bytes can't be decompressed.
            Exception: Whatever the sink raised, as it was.
        """
        if self._failure is not None:
            raise self._failure
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        return self._hand_over(last=False) if self._waiting >= _PIECE else None

    def flush(self) -> Future[None] | None:
        """No more bytes: returns what to wait for before :meth:`end`, or None."""
        self._hand_over(last=True)
        return self._work

    def end(self) -> Reply:
        """The answer is complete.

        Raises:
            TransferBroken: It is shorter than announced, or can't be decompressed.
            Exception: Whatever the sink raised, as it was.
        """
        if self._failure is not None:
            raise self._failure
        announced = self._reply.header("Content-Length")
        cut = self._decoder is not None and self._raw > 0 and not self._decoder.eof
        if cut or (announced.isdecimal() and int(announced) != self._raw):
            raise self.broken(f"{self._raw} bytes came of {announced or 'an unknown number'}")
        if self._is_file:
            received = Received(self._bytes, self._sha256.hexdigest())
            return Reply(self._reply.status, b"", self._reply.headers, received)
        return Reply(self._reply.status, bytes(self._held), self._reply.headers)

    def broken(self, why: str) -> TransferBroken | ServiceUnavailable:
        """What to say when the bytes stop early."""
        if self._is_file:
            return TransferBroken(f"The transfer broke while {self._what}: {why}.")
        return ServiceUnavailable(f"The answer broke off while {self._what}: {why}.")

    def at_work(self) -> Future[None] | None:
        """What to wait for when receiving has failed, or None."""
        return self._work

    def check_retry(self, fault: Exception) -> None:
        """Raise what makes it useless to ask again after *fault*.

        Raises:
            Exception: Whatever the sink raised; or *fault*, when bytes are in the sink and can't be taken back.
        """
        if self._sink_failed and self._failure is not None:
            raise self._failure
        if self._wrote and not (hasattr(self._sink, "restart") or self._start is not None):
            raise fault

    def close(self) -> None:
        """End the thread. A write under way is waited for, but not for ever."""
        if self._worker is not None:
            if self._work is not None:
                wait([self._work], _LAST_WRITE)
            self._worker.shutdown(wait=False, cancel_futures=True)
            self._worker = None

    def _hand_over(self, *, last: bool) -> Future[None] | None:
        piece, self._chunks, self._waiting = b"".join(self._chunks), [], 0
        if not self._aside:
            self._digest(piece, last)
            return None
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="apscores-sink")
        before, self._work = self._work, self._worker.submit(self._digest, piece, last)
        return before

    # ------------------------------------------------------------------------------------------- in the thread

    def _digest(self, piece: bytes, last: bool) -> None:
        """Never raises: what goes wrong is raised where the caller is, by :meth:`take` or :meth:`end`."""
        if self._failure is not None:
            return
        try:
            self._raw += len(piece)
            for plain in self._decoded(piece):
                self._sort(plain)
            if last and self._glancing:
                self._look()
        except BaseException as failure:
            self._failure = failure

    def _decoded(self, piece: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            yield piece
            return
        try:
            yield self._decoder.decompress(piece, _PIECE)
            while self._decoder.unconsumed_tail:
                yield self._decoder.decompress(self._decoder.unconsumed_tail, _PIECE)
        except zlib.error:
            raise self.broken("its compression is damaged") from None

    def _sort(self, plain: bytes) -> None:
        if self._is_file and not self._glancing:
            self._store(plain)
        elif len(self._held) < _KEPT:
            self._held += plain
            if self._glancing and len(self._held.lstrip(_BLANK)) >= _GLANCE:
                self._look()

    def _look(self) -> None:
        """Decide whether what comes is a file, and let it go to the sink if so."""
        self._glancing = False
        start = bytes(self._held.lstrip(_BLANK)[:1])
        html = "html" in self._reply.header("Content-Type").lower()
        # No score file begins like markup or a JSON object; whatever does has no business in the sink.
        self._is_file = not html and start not in (b"<", b"{")
        if self._is_file:
            held, self._held = bytes(self._held), bytearray()
            if self._wrote:
                self._to_sink(self._restart)
            self._store(held)

    def _store(self, data: bytes) -> None:
        if data:
            self._sha256.update(data)
            self._bytes += len(data)
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

    def _restart(self) -> None:
        sink: Any = self._sink
        if hasattr(sink, "restart"):
            sink.restart()
        else:
            sink.seek(self._start)
            sink.truncate()
        self._wrote = False

    def _decoder_for(self, encoding: str) -> Any:
        encoding = encoding.strip().lower()
        if encoding in ("", "identity"):
            return None
        if encoding in ("gzip", "x-gzip", "deflate"):
            return zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its header
        raise UnexpectedReply(f"An answer in an encoding that nobody asked for came while {self._what}.")


def _position(sink: Any) -> int | None:
    """Where a sink that can go back is now, or None when it can't."""
    try:
        return int(sink.tell()) if sink.seekable() and hasattr(sink, "truncate") else None
    except (AttributeError, OSError):
        return None
