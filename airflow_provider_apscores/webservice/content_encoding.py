"""Undoing a Content-Encoding piece by piece, in bounded memory.

Nothing is asked for but ``identity``. Object stores send a stored encoding all the same, so gzip and deflate are
understood, and whatever would leave bytes out is refused: decoding ends with the last byte of the body or not at all.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

#: Bytes that come out at once.
PIECE = 1 << 20
#: Bytes that go in at once. zlib copies what follows a gzip member, so many small members must not copy much.
_SLICE = 1 << 14

_GZIP, _ZLIB = zlib.MAX_WBITS | 16, zlib.MAX_WBITS
_FORMATS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


class DamagedEncoding(Exception):
    """The body is not in the encoding that its header names. The message says what is wrong with it."""


class Decoder:
    """Decodes one body.

    A gzip body may have several members (RFC 1952, 2.2); they are decoded one after the other. ``deflate`` is one
    zlib stream (RFC 9110, 8.4.1.2).

    Args:
        encoding: The value of the Content-Encoding header.

    Raises:
        ValueError: The encoding is not known.
    """

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in _FORMATS:
            raise ValueError(encoding)
        self._format = _FORMATS[encoding]
        self._stream = zlib.decompressobj(self._format)
        self._begun = False

    @property
    def complete(self) -> bool:
        """Whether the body may end here: nothing has come, or a stream has ended."""
        return self._stream.eof or not self._begun

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The decoded bytes of the next piece, at most :data:`PIECE` at once.

        Raises:
            DamagedEncoding: They can't be decoded, or follow the end.
        """
        view = memoryview(data)
        for start in range(0, len(data), _SLICE):
            rest: bytes | memoryview = view[start : start + _SLICE]
            while rest:
                self._begun = True
                if self._stream.eof:
                    self._next_member()
                try:
                    yield self._stream.decompress(rest, PIECE)
                except zlib.error:
                    raise DamagedEncoding("its compression is damaged") from None
                rest = self._stream.unconsumed_tail or self._stream.unused_data

    def _next_member(self) -> None:
        if self._format != _GZIP:
            raise DamagedEncoding("bytes follow the end of its compression")
        self._stream = zlib.decompressobj(_GZIP)
