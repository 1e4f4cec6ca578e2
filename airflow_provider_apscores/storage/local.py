"""Folders on a local disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from airflow_provider_apscores.storage.base import (
    CHUNK,
    Folder,
    Part,
    StoredFile,
    no_single_file,
    part_name,
    storage_errors,
)


@dataclass(frozen=True, slots=True)
class LocalFolder(Folder):
    """A folder on a local disk."""

    path: Path

    def child(self, name: str) -> LocalFolder:
        """See :meth:`Folder.child`."""
        return LocalFolder(self.path / name)

    def uri(self, name: str = "") -> str:
        """See :meth:`Folder.uri`."""
        return f"file://{self.path / name if name else self.path}"

    def open_part(self, name: str) -> Part:
        """See :meth:`Folder.open_part`."""
        return _LocalPart(self, name)

    def open(self, name: str) -> IO[bytes]:
        """See :meth:`Folder.open`."""
        path = self.path / name
        with storage_errors(self.uri(name), "read"):
            try:
                return open(path, "rb")
            except (FileNotFoundError, IsADirectoryError):
                if error := no_single_file(self.uri(name), is_folder=path.is_dir()):
                    raise error from None
                raise

    def read(self, name: str) -> bytes | None:
        """See :meth:`Folder.read`."""
        with storage_errors(self.uri(name), "read"):
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                return None

    def chunks(self, name: str) -> Iterator[bytes]:
        """See :meth:`Folder.chunks`."""
        with storage_errors(self.uri(name), "read"), open(self.path / name, "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def size(self, name: str) -> int | None:
        """See :meth:`Folder.size`."""
        with storage_errors(self.uri(name), "read"):
            try:
                return (self.path / name).stat().st_size
            except FileNotFoundError:
                return None

    def modified(self, name: str) -> datetime:
        """See :meth:`Folder.modified`."""
        with storage_errors(self.uri(name), "read"):
            return datetime.fromtimestamp((self.path / name).stat().st_mtime, UTC)

    def remove(self, name: str) -> None:
        """See :meth:`Folder.remove`."""
        with storage_errors(self.uri(name)):
            (self.path / name).unlink(missing_ok=True)

    def create(self, name: str, data: bytes) -> bool:
        """See :meth:`Folder.create`."""
        part = _LocalPart(self, name)
        try:
            part.write(data)
            return part.publish_new()
        finally:
            part.discard()

    def move(self, old: str, new: str) -> None:
        """See :meth:`Folder.move`."""
        with storage_errors(self.uri(new)):
            os.replace(self.path / old, self.path / new)
            _sync((self.path / new).parent)

    def check_writable(self) -> None:
        """See :meth:`Folder.check_writable`."""
        with storage_errors(self.uri()):
            # Missing folders are created only when there is a file to keep.
            existing = next(folder for folder in (self.path, *self.path.parents) if folder.exists())
            # An unnamed file disappears even if this process is killed.
            with TemporaryFile(dir=existing) as file:
                file.write(b"\0")
                file.flush()
                os.fsync(file.fileno())

    def listed(self, *, missing_ok: bool = True) -> list[str]:
        """See :meth:`Folder.listed`."""
        with storage_errors(self.uri(), "read"):
            try:
                return sorted(os.listdir(self.path))
            except (FileNotFoundError, NotADirectoryError):
                if missing_ok:
                    return []
                raise

    def tree(self) -> list[StoredFile]:
        """See :meth:`Folder.tree`."""
        with storage_errors(self.uri(), "read"):
            return sorted(_files_below(self.path, ""), key=lambda file: file.name)


def _files_below(directory: Path, prefix: str) -> Iterator[StoredFile]:
    try:
        entries = list(os.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir():
            yield from _files_below(directory / entry.name, f"{prefix}{entry.name}/")
            continue
        with suppress(FileNotFoundError):  # deleted or published meanwhile
            found = entry.stat()
            yield StoredFile(prefix + entry.name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


class _LocalPart:
    """Hidden name, fsync, replace."""

    def __init__(self, place: LocalFolder, name: str) -> None:
        self._place = place
        self._name = name
        with storage_errors(place.uri(name)):
            target = _with_parents(place.path / name)
            self._path = target.with_name(part_name(target.name))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")

    def write(self, data: bytes | memoryview, /) -> int:
        with storage_errors(self._place.uri(self._name)):
            return self._file.write(data)

    def truncate(self, size: int) -> None:
        with storage_errors(self._place.uri(self._name)):
            self._file.seek(size)
            self._file.truncate()

    def prepare(self) -> None:
        with storage_errors(self._place.uri(self._name)):
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self, name: str | None = None) -> str:
        uri = self._place.uri(name or self._name)
        with storage_errors(uri):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            target = _with_parents(self._place.path / (name or self._name))
            os.replace(self._path, target)
            _sync(target.parent)
        return uri

    def publish_new(self) -> bool:
        """Publish unless there is a file of this name; return whether it was published."""
        target = self._place.path / self._name
        with storage_errors(self._place.uri(self._name)):
            self._file.flush()
            os.fsync(self._file.fileno())
            try:
                # A link is made complete, and by one process only.
                os.link(self._path, target)
            except FileExistsError:
                return False
            _sync(target.parent)
        return True

    def discard(self) -> None:
        # Neither call may hide the original error: on a full disk, closing writes the last bytes and fails again.
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _with_parents(target: Path) -> Path:
    """Create the folders above *target*, for their owner only."""
    # Not parents=True: mkdir applies its mode to the last folder only.
    for ancestor in reversed(target.parents):
        try:
            ancestor.mkdir(mode=0o700)
        except OSError as error:
            # Some systems report missing permissions before they report that the folder exists.
            if isinstance(error, FileExistsError) and not ancestor.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(ancestor)) from None
            if not ancestor.is_dir():
                raise
        else:
            _sync(ancestor.parent)
    return target


def _sync(directory: Path) -> None:
    """Make new names in a folder survive a power cut, as ``fsync`` of a file does for its bytes."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
