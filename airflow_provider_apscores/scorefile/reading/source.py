"""Where the bytes of a score file come from: paths, URIs, file objects, bytes; packed with gzip or not.

Every row of the tables carries the file's digest, so the digest must be known before the first row is made. A file
that can be read twice (a local path, bytes, a file object that can seek) is read twice, the first time only to be
digested. Anything else (an object store, a pipe) is fetched once, into an unnamed temporary file that disappears with
the process, while it is digested.

Whoever knows the digest, from a manifest for instance, spares the first pass, and the temporary file of a store that
can go back: the bytes are digested as they are read, and compared at their end.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import IO, Any, cast

from airflow_provider_apscores.errors import ConfigurationError, ScoreFileMalformed, StorageUnavailable
from airflow_provider_apscores.storage import LocalFolder, locate, storage_errors

#: Bytes that are read at a time, unless somebody knows better.
PIECE = 16 << 20

#: Bytes that are digested at a time: many, since after each of them the thread may wait for the interpreter.
_DIGESTED = 8 << 20

#: Up to this size a fetched copy stays in memory.
_SMALL = 32 << 20

_GZIP = b"\x1f\x8b"

#: What does not end a file: it stands behind its last line, or pads it.
_BLANKS = b" \t\x00\x0c"

#: How errors call a file, which may have no name.
_ANY_FILE = "the score file"

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
        last: The last byte that was read in it, unpacked, blanks aside.

    Raises:
        ConfigurationError: It is a file object that is closed, or gives text.
        StorageUnavailable: It can't be opened or read, or changed meanwhile.
        ScoreFileMalformed: It can be read only once, and the digest is another one.
    """

    def __init__(self, place: Any, sha256: str | None = None) -> None:
        self._owned = ExitStack()
        self.position = 0
        self.last = b""
        try:
            self._reopen, opened = self._open(place, known=sha256 is not None)
            self._proven = sha256 is None or self._reopen is None
            with opened as given:
                file = _Given(given)
                self._state = file.state()
                if sha256 is not None and not self._proven:
                    self.sha256 = sha256
                    start = file.tell()
                    self.size = file.seek(0, io.SEEK_END) - start
                else:
                    self.sha256, self.size = self._digest(file)
                    self._compare(self.sha256, sha256 or self.sha256)
                    file.check_state(self._state)
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
            StorageUnavailable: It can't be read any more, or changed since it was digested.
        """
        assert self._reopen is not None
        self.position = 0
        with self._reopen() as given:
            file = _Given(given)
            start = file.tell()
            packed = file.read(2) == _GZIP
            file.seek(start)
            if not self._proven:
                file.digest = hashlib.sha256()
            unpacked = gzip.GzipFile(fileobj=cast("IO[bytes]", file), mode="rb") if packed else file
            with _gzip_errors():
                for piece in _pieces(unpacked, wanted):
                    self.position = file.tell() - start
                    self.last = piece[-1:].strip(_BLANKS) or piece.rstrip(_BLANKS)[-1:] or self.last
                    yield piece
                file.check_state(self._state)
            if file.digest:
                while file.read(_DIGESTED):  # what a gzip reader leaves
                    pass
                self._compare(file.digest.hexdigest(), self.sha256)
                self._proven = True

    def _digest(self, file: _Given) -> tuple[str, int]:
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
            _check_open(place)
            again = _rewinder(place, place.tell()) if getattr(place, "seekable", bool)() else None
            return again, nullcontext(place)
        folder, name = locate(place)
        file = folder.open(name)
        if not file.seekable():  # A named pipe is local as well, and can be read once.
            return None, file
        if isinstance(folder, LocalFolder):
            return (lambda: folder.open(name)), file
        if not known or not _goes_back(file):
            return None, file
        # It stays open, so that what a store sent for the first look is not fetched again.
        self._owned.callback(file.close)
        return _rewinder(file, 0), nullcontext(file)


class _Given:
    """A file as somebody gave it: whatever it raises becomes an error of storage.

    Attributes:
        digest: Takes in all that is read, if there is one.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest: Any = None

    def read(self, size: int = -1, /) -> bytes:
        # A file object may unpack on its own.
        with storage_errors(_ANY_FILE, "read"), _gzip_errors():
            piece = self._file.read(size)
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise ConfigurationError("A score file is read as bytes; open it in binary mode.")
        if self.digest:
            self.digest.update(piece)
        return bytes(piece)

    def state(self) -> tuple[int, int, int] | None:
        """What changes when somebody writes to the file; None where the operating system can't tell."""
        try:
            found = os.fstat(self._file.fileno())
        except (AttributeError, OSError, ValueError):
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def check_state(self, before: tuple[int, int, int] | None) -> None:
        """Refuse a file that was written to since; rows would stand under the digest of other bytes."""
        if before is not None and self.state() not in (before, None):
            raise StorageUnavailable(
                "The score file changed while it was read; it may still be on its way. Read it again when it is whole."
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


def _goes_back(file: IO[bytes]) -> bool:
    """Whether a remote file can be read again: some say so that can't, such as those of web servers without ranges."""
    try:
        return file.seek(0, io.SEEK_END) >= 0 and file.seek(0) == 0
    except (OSError, ValueError):
        return False


class _Shared:
    """A file that stays open and that several passes may read at a time, each from where it is itself."""

    def __init__(self, file: IO[bytes], start: int, lock: threading.Lock) -> None:
        self._file = file
        self._at = start
        self._lock = lock

    def read(self, size: int = -1, /) -> bytes:
        with self._lock:
            if self._file.tell() != self._at:
                self._file.seek(self._at)
            piece = self._file.read(size)
        self._at += len(piece)
        return piece

    def fileno(self) -> int:
        return self._file.fileno()

    def seek(self, offset: int, _whence: int = io.SEEK_SET, /) -> int:
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at


def _rewinder(file: IO[bytes], start: int) -> Callable[[], _Opened]:
    """A way back in a file that stays open."""
    lock = threading.Lock()

    def reopen() -> _Opened:
        _check_open(file)
        return nullcontext(cast("IO[bytes]", _Shared(file, start, lock)))

    return reopen


def _check_open(file: IO[bytes]) -> None:
    if getattr(file, "closed", False):
        raise ConfigurationError(
            "The file object is closed. Keep it open until the tables are read, or give the path instead."
        )


def _spool() -> Any:
    return tempfile.SpooledTemporaryFile(max_size=_SMALL)


def _pieces(file: _Given | gzip.GzipFile, wanted: Callable[[], int] = lambda: PIECE) -> Iterator[bytes]:
    """What is left of *file*; short reads of pipes are gathered."""
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
