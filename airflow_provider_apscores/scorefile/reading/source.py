"""The bytes of a score file: from a path, a URI, a file object or bytes; packed with gzip or not.

Every row of the tables carries the file's digest, so the digest must be known before the first row. A local file and
bytes are read twice, the first time only for the digest. Anything else (an object store, a pipe, a file object) is
copied once into an unnamed temporary file that disappears with the process, and everything reads the copy.

If the caller knows the digest, for instance from a manifest, the first pass is left out: the bytes are digested while
they are read, and the digest is compared at the end.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from typing import IO, Any, cast

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.storage import LocalFolder, SpoolFile, locate, storage_errors

#: Bytes that are read at a time by default.
PIECE = 16 << 20

#: Bytes that are copied or digested at a time: many, since the thread may wait for the interpreter after each of them.
_CHUNK = 8 << 20

_GZIP = b"\x1f\x8b"

#: How errors name a file, which may have no name.
_ANY_FILE = "the score file"

_Opened = AbstractContextManager[IO[bytes]]


class Source:
    """The bytes of one score file, which can be read any number of times, also by several readers at once.

    A context manager: leaving it closes what it opened, never a file object that was passed in.

    Args:
        place: A local path, a URI, a path object such as Airflow's ``ObjectStoragePath``, a binary file object (read
            from its current position), a :class:`~airflow_provider_apscores.storage.SpoolFile`, or bytes.
        sha256: The digest, if it is known.

    Attributes:
        sha256: Digest of the bytes as they are given.
        size: Their number.
        position: How many of them the latest pass has read.

    Raises:
        ConfigurationError: It is the content of a file as text, or a file object that is closed, in text mode, or at
            its end.
        StorageUnavailable: It can't be opened or read, or it changed meanwhile, or the temporary folder is full.
    """

    def __init__(self, place: Any, sha256: str | None = None) -> None:
        self._owned = ExitStack()
        self.position = 0
        try:
            self._reopen = self._rereadable(place)
            self._proven = sha256 is None
            with self._reopen() as opened:
                file = _InputFile(opened)
                self._state = file.state()
                if sha256 is None:
                    self.sha256, self.size = _digest(file)
                    file.check_state(self._state)
                else:
                    self.sha256, self.size = sha256, file.seek(0, io.SEEK_END)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary copy, if there is one."""
        self._owned.close()

    def pieces(self, wanted: Callable[[], int] = lambda: PIECE) -> Iterator[bytes]:
        """The contents from the beginning, unpacked.

        Args:
            wanted: Returns the size of the next piece, in bytes.

        Raises:
            ScoreFileMalformed: The gzip stream is damaged or ends early. Or, at the end, the digest is not the one that
                was given.
            StorageUnavailable: It can't be read any more, or it has changed since it was opened.
        """
        self.position = 0
        with self._reopen() as opened:
            file = _InputFile(opened)
            packed = file.read(2) == _GZIP
            file.seek(0)
            if not self._proven:
                file.digest = hashlib.sha256()
            unpacked = gzip.GzipFile(fileobj=cast("IO[bytes]", file), mode="rb") if packed else file
            with _gzip_errors():
                for piece in _pieces(unpacked, wanted):
                    self.position = file.tell()
                    yield piece
                file.check_state(self._state)
            if file.digest:
                while file.read(_CHUNK):  # bytes that the gzip reader leaves
                    pass
                self._compare(file.digest.hexdigest())
                self._proven = True

    def _compare(self, found: str) -> None:
        if found != self.sha256:
            raise ScoreFileMalformed(
                f"The file is not the expected one: its SHA-256 begins with {found[:12]}, not {self.sha256[:12]}. "
                "It was changed, or cut in transit: fetch it again."
            )

    def _rereadable(self, place: Any) -> Callable[[], _Opened]:
        """A function that opens the file from its beginning."""
        if isinstance(place, bytes | bytearray | memoryview):
            return lambda: io.BytesIO(place)
        if isinstance(place, SpoolFile):
            return lambda: nullcontext(cast("IO[bytes]", place.reader()))
        if hasattr(place, "read"):
            if getattr(place, "closed", False):
                raise ConfigurationError("The file object is closed. Pass an open one, or the path instead.")
            return self._copied(place)
        folder, name = locate(place)
        with folder.open(name) as file:
            # A named pipe is local as well, and can be read once.
            if isinstance(folder, LocalFolder) and file.seekable():
                return lambda: folder.open(name)
            return self._copied(file)

    def _copied(self, file: IO[bytes]) -> Callable[[], _Opened]:
        """Copy the rest of *file* into a temporary file, and read that."""
        given = _InputFile(file)
        spool = self._owned.enter_context(closing(SpoolFile()))
        size = 0
        while piece := given.read(_CHUNK):
            size += spool.write(piece)
        if not size and hasattr(file, "tell") and given.tell():
            raise ConfigurationError(
                "The file object stands at its end, behind what was written or read. Call seek(0)."
            )
        return lambda: nullcontext(cast("IO[bytes]", spool.reader()))


def _digest(file: _InputFile) -> tuple[str, int]:
    """The digest and size of *file*."""
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_CHUNK):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


class _InputFile:
    """A file whose exceptions become storage errors.

    Attributes:
        digest: Updated with all bytes that are read, if there is one.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest: Any = None

    def read(self, size: int = -1, /) -> bytes:
        # The file object may unpack gzip itself.
        with storage_errors(_ANY_FILE, "read"), _gzip_errors():
            piece = self._file.read(size)
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise ConfigurationError("A score file is read as bytes; open it in binary mode.")
        if self.digest:
            self.digest.update(piece)
        return bytes(piece)

    def state(self) -> tuple[int, int, int] | None:
        """What changes when the file is written; None where the operating system can't tell."""
        try:
            found = os.fstat(self._file.fileno())
        except (AttributeError, OSError, ValueError):
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def check_state(self, before: tuple[int, int, int] | None) -> None:
        """Refuse a file that was written meanwhile: its rows would carry the digest of other bytes."""
        if before is not None and self.state() not in (before, None):
            raise StorageUnavailable(
                "The score file changed while it was read; it may still be written. Read it again when it is complete."
            )

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with storage_errors(_ANY_FILE, "read"):
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        with storage_errors(_ANY_FILE, "read"):
            return self._file.tell()


@contextmanager
def _gzip_errors() -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ScoreFileMalformed("The gzip file is damaged or ends early; fetch it again, or pack it again.") from error


def _pieces(file: _InputFile | gzip.GzipFile, wanted: Callable[[], int]) -> Iterator[bytes]:
    """The rest of *file*; short reads are gathered."""
    read: Callable[[int], bytes] = file.read
    while True:
        gathered: list[bytes] = []
        missing = wanted()
        while missing > 0:
            piece = read(missing)
            if not piece:
                break
            gathered.append(piece)
            missing -= len(piece)
        if not gathered:
            return
        yield gathered[0] if len(gathered) == 1 else b"".join(gathered)
        if missing > 0:
            return
