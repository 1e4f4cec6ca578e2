"""The bytes of answers on their way in, without any I/O but the sink's.

A JSON answer is kept. A file goes to the sink chunk by chunk, in constant memory, and is hashed, measured and looked
at in the same pass: pages and error documents that come in a file's place never reach the sink.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from airflow_provider_apscores.errors import ServiceUnavailable, TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice.messages import Received, Reply, Request

#: Bytes of a body that are kept. The service's answers have some hundred.
_KEPT = 1 << 20
#: Bytes that show what a body is.
_GLANCE = 64
#: Bytes that are decompressed at once.
_PIECE = 1 << 20


class Sink(Protocol):
    """Where a file goes. ``restart()``, or else ``seek`` and ``truncate``, lets a broken transfer begin again."""

    def write(self, data: bytes, /) -> Any:
        """Take all of *data*, or return how many bytes were taken."""


class Arrival:
    """Takes the answers to one call: :meth:`begin`, :meth:`take` for each chunk, :meth:`end`.

    Args:
        sink: Where a file goes; None for calls that fetch none.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._start = _position(sink)
        self._wrote = False
        #: Whether the last exception came out of the sink, and not off the wire.
        self.sink_failed = False

    def begin(self, request: Request, status: int, headers: Mapping[str, str]) -> None:
        """A new answer starts.

        Raises:
            UnexpectedReply: It is encoded in a way that nobody asked for.
        """
        self._what = request.what
        self._is_file = request.kind == "download" and status == 200
        self._status = status
        self._headers = dict(headers)
        self._held = bytearray()
        self._glancing = self._is_file
        self._raw = self._bytes = 0
        self._sha256 = hashlib.sha256()
        self._decoder = self._decoder_for(Reply(status, b"", self._headers).header("Content-Encoding"))

    def take(self, chunk: bytes) -> None:
        """The next bytes, as they came over the wire. Whatever the sink raises passes through."""
        self._raw += len(chunk)
        for piece in self._decoded(chunk):
            if self._is_file and not self._glancing:
                self._store(piece)
            elif len(self._held) < _KEPT:
                self._held += piece
                if self._glancing and len(self._held.lstrip(_BLANK)) >= _GLANCE:
                    self._look()

    def end(self) -> Reply:
        """The answer is complete.

        Raises:
            TransferBroken: It is shorter than announced.
        """
        announced = Reply(self._status, b"", self._headers).header("Content-Length")
        if (announced.isdecimal() and int(announced) != self._raw) or not self._is_whole():
            raise self.broken(f"{self._raw} bytes came of {announced or 'an unknown number'}")
        if self._glancing:
            self._look()
        if not self._is_file:
            return Reply(self._status, bytes(self._held), self._headers)
        return Reply(self._status, b"", self._headers, Received(self._bytes, self._sha256.hexdigest()))

    def broken(self, why: str) -> TransferBroken | ServiceUnavailable:
        """What to say when the bytes stop early."""
        if self._is_file:
            return TransferBroken(f"The transfer broke while {self._what}: {why}.")
        return ServiceUnavailable(f"The answer broke off while {self._what}: {why}.")

    def check_restart(self, fault: Exception) -> None:
        """Raise *fault* when bytes are in the sink and can't be taken back: then there is no use in trying again."""
        if self._wrote and not (hasattr(self._sink, "restart") or self._start is not None):
            raise fault

    def _look(self) -> None:
        """Decide whether what comes is a file, and let it go to the sink if so."""
        self._glancing = False
        start = bytes(self._held.lstrip(_BLANK)[:1])
        html = "html" in Reply(self._status, b"", self._headers).header("Content-Type").lower()
        # No score file begins like markup or a JSON object; whatever does has no business in the sink.
        self._is_file = not html and start not in (b"<", b"{")
        if self._is_file:
            if self._wrote:
                self._restart()
            held, self._held = bytes(self._held), bytearray()
            self._store(held)

    def _store(self, data: bytes) -> None:
        if not data or self._sink is None:
            return
        self._sha256.update(data)
        self._bytes += len(data)
        with self._noting_its_failures():
            self._wrote = True
            taken = self._sink.write(data)
            while isinstance(taken, int) and 0 < taken < len(data):
                data = data[taken:]
                taken = self._sink.write(data)

    def _restart(self) -> None:
        sink: Any = self._sink
        with self._noting_its_failures():
            if hasattr(sink, "restart"):
                sink.restart()
            else:
                sink.seek(self._start)
                sink.truncate()
            self._wrote = False

    @contextmanager
    def _noting_its_failures(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.sink_failed = True
            raise

    def _decoder_for(self, encoding: str) -> Any:
        encoding = encoding.strip().lower()
        if encoding in ("", "identity"):
            return None
        if encoding in ("gzip", "x-gzip", "deflate"):
            return zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its header
        raise UnexpectedReply(
            f"An answer in the encoding {encoding[:20]!r}, which nobody asked for, while {self._what}."
        )

    def _decoded(self, chunk: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            yield chunk
            return
        try:
            yield self._decoder.decompress(chunk, _PIECE)
            while self._decoder.unconsumed_tail:
                yield self._decoder.decompress(self._decoder.unconsumed_tail, _PIECE)
        except zlib.error:
            raise self.broken("its compression is damaged") from None

    def _is_whole(self) -> bool:
        return self._decoder is None or self._raw == 0 or bool(self._decoder.eof)


_BLANK = b"\xef\xbb\xbf \t\r\n\x00"


def _position(sink: Any) -> int | None:
    """Where a sink that can go back is now, or None when it can't."""
    try:
        return int(sink.tell()) if sink.seekable() and hasattr(sink, "truncate") else None
    except (AttributeError, OSError):
        return None
