"""Where the bytes of a score file come from: paths, URIs, file objects, bytes; packed with gzip or not.

Every row of the tables carries the file's digest, so the digest must be known before the first row is made. A file
that can be read twice (a local path, bytes, a file object that can seek) is read twice, the first time only to be
digested. Anything else (an object store, a pipe) is fetched once, into an unnamed temporary file that disappears with
the process, while it is digested.
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


class Source:
    """The bytes of one score file, to be read as often as needed.

    A context manager: leaving it closes what it opened, never a file object that was handed in.

    Args:
        place: A local path, a URI, a path object such as Airflow's ``ObjectStoragePath``, a binary file object (read
            from where it stands), or bytes.

    Attributes:
        sha256: Digest of the bytes as they are given.
        size: How many those are.
        position: How many of them were read in the pass that is going on.
        last: The last byte that was read in it, unpacked.

    Raises:
        StorageUnavailable: It can't be opened or read.
    """

    def __init__(self, place: Any) -> None:
        self._owned = ExitStack()
        self._reopen, file = self._open(place)
        self.position = 0
        self.last = b""
        self.size = 0
        digest = hashlib.sha256()
        copy = None if self._reopen else cast("IO[bytes]", self._owned.enter_context(_spool()))
        try:
            for piece in _pieces(file, lambda: _DIGESTED):
                digest.update(piece)
                self.size += len(piece)
                if copy is not None:
                    copy.write(piece)
        except BaseException:
            self.close()
            raise
        finally:
            if file is not place:
                file.close()
        if copy is not None:
            self._reopen = _rewinder(copy, 0)
        self.sha256 = digest.hexdigest()

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
            ScoreFileMalformed: The gzip stream is damaged or ends early.
            StorageUnavailable: It can't be read any more.
        """
        assert self._reopen is not None
        self.position = 0
        with self._reopen() as file:
            start = file.tell()
            packed = file.read(2) == _GZIP
            file.seek(start)
            unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")) if packed else file
            try:
                for piece in _pieces(unpacked, wanted):
                    self.position = file.tell() - start
                    self.last = piece[-1:]
                    yield piece
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise ScoreFileMalformed(
                    "The gzip file is damaged or ends early; fetch it again, or pack it again."
                ) from error

    def _open(self, place: Any) -> tuple[Callable[[], AbstractContextManager[IO[bytes]]] | None, IO[bytes]]:
        """A way to open the file from its beginning again, where that costs nothing, and the file."""
        if isinstance(place, bytes | bytearray | memoryview):
            return (lambda: io.BytesIO(place)), io.BytesIO(place)
        if hasattr(place, "read"):
            return (_rewinder(place, place.tell()) if getattr(place, "seekable", bool)() else None), place
        folder, name = locate(place)
        file = folder.open(name)
        # A named pipe is local as well, and can be read once.
        again = (lambda: folder.open(name)) if isinstance(folder, LocalFolder) and file.seekable() else None
        return again, file


def _rewinder(file: IO[bytes], start: int) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    """Go back in a file that stays open."""

    def again() -> AbstractContextManager[IO[bytes]]:
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
