"""Decoding a Content-Encoding piece by piece, in bounded memory.

Requests ask for ``identity`` only. Object stores send a stored encoding anyway, so gzip and deflate are supported. A
body is accepted only if its last byte is the last byte of its encoding; otherwise records could be missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

#: Largest piece of decoded bytes.
PIECE = 1 << 20
#: Bytes given to zlib at once. It copies what follows a gzip member; this keeps many small members cheap.
_SLICE = 1 << 14

_GZIP, _ZLIB = zlib.MAX_WBITS | 16, zlib.MAX_WBITS
_FORMATS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


class DamagedEncoding(Exception):
    """The body can't be decoded as its header says. The message is the reason."""


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
        """Whether the body may end here: it is empty, or its stream has ended."""
        return self._stream.eof or not self._begun

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decode the next bytes of the body, in pieces of at most :data:`PIECE`.

        Raises:
            DamagedEncoding: The bytes can't be decoded, or follow the end of the encoding.
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
