"""Where the bytes of a score file come from: paths, URIs, file objects, bytes; packed with gzip or not.

Every row of the tables carries the file's digest, so the digest must be known before the first row is made. A file
that can be read twice (a local path, bytes, a file object that can seek) is read twice, the first time only to be
digested. Anything else (an object store, a pipe) is fetched once, into an unnamed temporary file that disappears with
the process, while it is digested.

Whoever knows the digest, from a manifest for instance, spares the first pass or the temporary file: the bytes are
digested as they are read, and compared at their end.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import IO, Any, cast

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.storage import LocalFolder, locate

#: Bytes that are read at a time, unless somebody knows better.
PIECE = 16 << 20

#: Bytes that are digested at a time: many, since after each of them the thread may wait for the interpreter.
_DIGESTED = 8 << 20

#: Up to this size a fetched copy stays in memory.
_SMALL = 32 << 20

_GZIP = b"\x1f\x8b"

_Opened = AbstractContextManager[IO[bytes]]


class Source:
    """The bytes of one score file, to be read as often as needed.

    A context manager: leaving it closes what it opened, never a file object that was handed in.

    Args:
        place: A local path, a URI, a path object such as Airflow's ``ObjectStoragePath``, a binary file object (read
            from where it stands), or bytes.
        sha256: The digest, if it is known.

    Attributes:
        sha256: Digest of the bytes as they are given.
        size: How many those are.
        position: How many of them were read in the pass that is going on.
        last: The last byte that was read in it, unpacked.

    Raises:
        StorageUnavailable: It can't be opened or read.
        ScoreFileMalformed: It can be read only once, and the digest is another one.
    """

    def __init__(self, place: Any, sha256: str | None = None) -> None:
        self._owned = ExitStack()
        self.position = 0
        self.last = b""
        try:
            self._reopen, opened = self._open(place, known=sha256 is not None)
            self._proven = sha256 is None or self._reopen is None
            with opened as file:
                if sha256 is not None and not self._proven:
                    self.sha256 = sha256
                    start = file.tell()
                    self.size = file.seek(0, io.SEEK_END) - start
                else:
                    self.sha256, self.size = self._digest(file)
                    self._compare(self.sha256, sha256 or self.sha256)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened."""
        self._owned.close()

    def pieces(self, wanted: Callable[[], int] = lambda: PIECE) -> Iterator[bytes]:
        """The contents from the beginning, unpacked.

        Args:
            wanted: Says how many bytes the next piece should have.

        Raises:
            ScoreFileMalformed: The gzip stream is damaged or ends early. Or, at the end, the digest is not the one that
                was given.
            StorageUnavailable: It can't be read any more.
        """
        assert self._reopen is not None
        self.position = 0
        with self._reopen() as file:
            start = file.tell()
            packed = file.read(2) == _GZIP
            file.seek(start)
            given = cast("IO[bytes]", _Digested(file)) if not self._proven else file
            unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=given, mode="rb")) if packed else given
            try:
                for piece in _pieces(unpacked, wanted):
                    self.position = file.tell() - start
                    self.last = piece[-1:]
                    yield piece
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise ScoreFileMalformed(
                    "The gzip file is damaged or ends early; fetch it again, or pack it again."
                ) from error
            if isinstance(given, _Digested):
                self._compare(given.hexdigest(), self.sha256)
                self._proven = True

    def _digest(self, file: IO[bytes]) -> tuple[str, int]:
        """Digest and size of *file*, of which a copy is kept where it can't be read again."""
        digest, size = hashlib.sha256(), 0
        copy = None if self._reopen else cast("IO[bytes]", self._owned.enter_context(_spool()))
        for piece in _pieces(file, lambda: _DIGESTED):
            digest.update(piece)
            size += len(piece)
            if copy is not None:
                copy.write(piece)
        if copy is not None:
            self._reopen = _rewinder(copy, 0)
        return digest.hexdigest(), size

    @staticmethod
    def _compare(found: str, expected: str) -> None:
        if found != expected:
            raise ScoreFileMalformed(
                f"The file is not the one that was meant: its SHA-256 begins with {found[:12]}, not {expected[:12]}. "
                "It was changed, or cut on its way: fetch it again."
            )

    def _open(self, place: Any, *, known: bool) -> tuple[Callable[[], _Opened] | None, _Opened]:
        """A way to open the file from its beginning again, where that costs nothing, and the file."""
        if isinstance(place, bytes | bytearray | memoryview):
            return (lambda: io.BytesIO(place)), io.BytesIO(place)
        if hasattr(place, "read"):
            again = _rewinder(place, place.tell()) if getattr(place, "seekable", bool)() else None
            return again, nullcontext(place)
        folder, name = locate(place)
        file = folder.open(name)
        if not file.seekable():  # A named pipe is local as well, and can be read once.
            return None, file
        if isinstance(folder, LocalFolder):
            return (lambda: folder.open(name)), file
        if not known:
            return None, file
        # It stays open, so that what a store sent for the first look is not fetched again.
        self._owned.callback(file.close)
        return _rewinder(file, 0), nullcontext(file)


class _Digested:
    """A file whose bytes are digested as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._read = file.read
        self._digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        piece = self._read(size)
        self._digest.update(piece)
        return piece

    def hexdigest(self) -> str:
        """Of the whole file."""
        while self.read(_DIGESTED):  # what a gzip reader leaves
            pass
        return self._digest.hexdigest()


def _rewinder(file: IO[bytes], start: int) -> Callable[[], _Opened]:
    """Go back in a file that stays open."""

    def again() -> _Opened:
        file.seek(start)
        return nullcontext(file)

    return again


def _spool() -> Any:
    return tempfile.SpooledTemporaryFile(max_size=_SMALL)


def _pieces(file: IO[bytes], wanted: Callable[[], int] = lambda: PIECE) -> Iterator[bytes]:
    """What is left of *file*; short reads of pipes are gathered."""
    read: Callable[[int], bytes] = file.read
    while True:
        gathered: list[bytes] = []
        missing = wanted()
        while missing > 0:
            try:
                piece = read(missing)
            except OSError as error:
                if isinstance(error, gzip.BadGzipFile):
                    raise
                raise StorageUnavailable(
                    f"The score file can't be read: {error.strerror or type(error).__name__}."
                ) from error
            if not isinstance(piece, bytes | bytearray | memoryview):
                raise ConfigurationError("A score file is read as bytes; open it in binary mode.")
            if not piece:
                break
            gathered.append(bytes(piece))
            missing -= len(piece)
        if not gathered:
            return
        yield gathered[0] if len(gathered) == 1 else b"".join(gathered)
        if missing > 0:
            return
