"""An unnamed file in the worker's temporary folder."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile

from airflow_provider_apscores.errors import StorageUnavailable


class SpoolFile:
    """A local copy of bytes on their way to or from a store.

    The file has no name, so it disappears with the process, even if the process is killed. :meth:`close` removes it
    earlier.

    Raises:
        StorageUnavailable: The temporary folder can't be used; or, from :meth:`write`, it is full.
    """

    def __init__(self) -> None:
        with _temporary_errors():
            self._file = TemporaryFile()  # noqa: SIM115 -- the owner closes it

    def write(self, data: bytes | memoryview, /) -> int:
        """Append bytes."""
        with _temporary_errors():
            return self._file.write(data)

    def truncate(self, size: int) -> None:
        """Keep the first *size* bytes, and append behind them from now on."""
        with _temporary_errors():
            self._file.seek(size)
            self._file.truncate()

    @property
    def path(self) -> str:
        """A path by which this process can read the file as long as it is not closed."""
        with _temporary_errors():
            # Writes what is buffered. On macOS, opening the path does not begin at 0 but at this position.
            self._file.seek(0)
        return f"/dev/fd/{self._file.fileno()}"

    def reader(self) -> SpoolReader:
        """Read from the beginning, independently of other readers."""
        with _temporary_errors():
            self._file.flush()
        return SpoolReader(self._file.fileno())

    def close(self) -> None:
        """Remove the file."""
        # On a full disk, closing writes the last bytes and fails again.
        with suppress(OSError):
            self._file.close()


class SpoolReader:
    """One pass through a :class:`SpoolFile`: a binary file with a position of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to *size* bytes, or all that are left."""
        if size < 0:
            size = os.fstat(self._descriptor).st_size - self._at
        piece = os.pread(self._descriptor, size, self._at)
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to *offset*."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (os.fstat(self._descriptor).st_size if base is None else base)
        return self._at

    def tell(self) -> int:
        """The position, in bytes."""
        return self._at


@contextmanager
def _temporary_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(
            f"Can't use the worker's temporary folder: {error.strerror}. Make room there, or set TMPDIR."
        ) from error
