"""Files that appear whole or not at all, on a local disk or an object store.

Whoever reads a folder must never meet half a file. How that is done differs:

* **Local disk**: a part with a hidden name, ``fsync``, then ``os.replace``. Files are readable by their owner only,
  since they hold education records.
* **Everything else** (S3, Google Cloud Storage, Azure, SFTP, …): a part with a hidden name, then a move on the
  server, which shows the target when it is whole. A multipart upload left open until its commit would do without
  the move on some stores, but can't be set aside under another name when its contents turn out to be wrong.

A *folder* is a local path, a URI, or a path object with ``fs`` and ``path`` such as Airflow's
``ObjectStoragePath``; this module imports none of them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast
from urllib.parse import urlsplit

from airflow_provider_apscores.errors import ConfigurationError, StorageUnavailable

_LOCAL = frozenset({"", "file", "local"})


class Folder(Protocol):
    """Where files are kept: the few things this package asks of a place."""

    def child(self, name: str) -> Folder:
        """The folder *name* inside this one; *name* may hold slashes."""

    def uri(self, name: str = "") -> str:
        """The address of a file in this folder, good for ``ObjectStoragePath`` and for people."""

    def open_part(self, name: str) -> Part:
        """Begin a file that nobody sees before :meth:`Part.publish`."""

    def open(self, name: str) -> IO[bytes]:
        """Read a file."""

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None when there is no such file."""

    def names(self) -> list[str]:
        """The names of the files and folders in this folder, sorted, parts left out; empty when it does not exist."""

    def remove(self, name: str) -> None:
        """Delete a file; nothing happens when it is not there."""

    def sweep(self) -> None:
        """Delete parts that killed processes left in this folder."""


class Part(Protocol):
    """A file being written."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Append bytes."""

    def restart(self) -> None:
        """Throw away what was written and begin again."""

    def publish(self, name: str | None = None) -> str:
        """Make the file visible and durable under its name, or another *name* of its folder; return its URI."""

    def discard(self) -> None:
        """Throw the part away; harmless after :meth:`publish`."""


def folder(place: Any) -> Folder:
    """Understand a local path, a URI, or a path object with ``fs`` and ``path`` as a folder.

    Raises:
        ConfigurationError: The URI's scheme is not installed here.
    """
    if hasattr(place, "fs") and hasattr(place, "path"):
        if getattr(place, "protocol", "") in _LOCAL:
            return LocalFolder(Path(place.path).absolute())
        return RemoteFolder(place.fs, place.path, str(place))
    text = os.fspath(place)
    parts = urlsplit(text)
    if "://" not in text:
        return LocalFolder(Path(text).absolute())
    if parts.scheme in _LOCAL:
        # Not unquoted, as fsspec does not either.
        return LocalFolder(Path(text.partition("://")[2]))
    try:
        import fsspec

        fs, path = fsspec.core.url_to_fs(text)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(
            f"There is no file system for {parts.scheme}:// here; install the one for it (for instance s3fs for s3://)."
        ) from error
    return RemoteFolder(fs, path, text)


def locate(place: Any) -> tuple[Folder, str]:
    """The folder of one file, and the file's name in it."""
    if hasattr(place, "fs") and hasattr(place, "path"):
        return folder(place.parent), place.name
    text = os.fspath(place)
    if "://" not in text:
        path = Path(text).absolute()
        return LocalFolder(path.parent), path.name
    head, _, name = text.rpartition("/")
    return folder(head), name


@dataclass(frozen=True, slots=True)
class LocalFolder:
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
        with _storage_errors(self.uri(name)):
            return open(self.path / name, "rb")

    def size(self, name: str) -> int | None:
        """See :meth:`Folder.size`."""
        with _storage_errors(self.uri(name)):
            try:
                return (self.path / name).stat().st_size
            except FileNotFoundError:
                return None

    def names(self) -> list[str]:
        """See :meth:`Folder.names`."""
        with _storage_errors(self.uri()):
            try:
                return sorted(name for name in os.listdir(self.path) if not _is_part(name))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def remove(self, name: str) -> None:
        """See :meth:`Folder.remove`."""
        with _storage_errors(self.uri(name)):
            (self.path / name).unlink(missing_ok=True)

    def sweep(self) -> None:
        """See :meth:`Folder.sweep`."""
        with _storage_errors(self.uri()):
            if self.path.is_dir():
                for name in os.listdir(self.path):
                    if _is_part(name):
                        (self.path / name).unlink(missing_ok=True)


class _LocalPart:
    """Hidden name, fsync, replace."""

    def __init__(self, place: LocalFolder, name: str) -> None:
        self._place = place
        self._name = name
        with _storage_errors(place.uri(name)):
            target = _prepared(place.path / name)
            self._path = target.with_name(_part_name(target.name))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")

    def write(self, data: bytes | memoryview, /) -> int:
        with _storage_errors(self._place.uri(self._name)):
            return self._file.write(data)

    def restart(self) -> None:
        with _storage_errors(self._place.uri(self._name)):
            self._file.seek(0)
            self._file.truncate()

    def publish(self, name: str | None = None) -> str:
        uri = self._place.uri(name or self._name)
        with _storage_errors(uri):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            target = _prepared(self._place.path / (name or self._name))
            os.replace(self._path, target)
            _sync(target.parent)
        return uri

    def discard(self) -> None:
        # Neither may hide the error that led here: on a full disk, closing writes the last bytes and fails again.
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _prepared(target: Path) -> Path:
    # Not parents=True: mkdir applies its mode to the last folder only.
    for ancestor in reversed(target.parents):
        try:
            ancestor.mkdir(mode=0o700)
        except OSError:
            # Some systems complain about the rights to make it before they say that it is there.
            if not ancestor.is_dir():
                raise
        else:
            _sync(ancestor.parent)
    return target


def _sync(directory: Path) -> None:
    """Let new names in a folder survive a power cut, as the bytes of a file do after its own ``fsync``."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RemoteFolder:
    """A folder on anything that fsspec speaks to."""

    def __init__(self, fs: Any, path: str, uri: str) -> None:
        self.fs = fs
        self._path = path.rstrip("/")
        self._uri = uri.rstrip("/")

    def __repr__(self) -> str:
        return f"RemoteFolder({self._uri!r})"

    def path(self, name: str) -> str:
        """The path of *name* as the file system knows it."""
        return f"{self._path}/{name}"

    def child(self, name: str) -> RemoteFolder:
        """See :meth:`Folder.child`."""
        return RemoteFolder(self.fs, self.path(name), f"{self._uri}/{name}")

    def uri(self, name: str = "") -> str:
        """See :meth:`Folder.uri`."""
        return f"{self._uri}/{name}" if name else self._uri

    def open_part(self, name: str) -> Part:
        """See :meth:`Folder.open_part`."""
        return _RemotePart(self, name)

    def open(self, name: str) -> IO[bytes]:
        """See :meth:`Folder.open`."""
        with _storage_errors(self.uri(name)):
            return cast("IO[bytes]", self.fs.open(self.path(name), "rb"))

    def size(self, name: str) -> int | None:
        """See :meth:`Folder.size`."""
        with _storage_errors(self.uri(name)):
            self.fs.invalidate_cache(self._path)
            try:
                return int(self.fs.info(self.path(name))["size"])
            except FileNotFoundError:
                return None

    def names(self) -> list[str]:
        """See :meth:`Folder.names`."""
        with _storage_errors(self.uri()):
            return sorted(name for name in self._listed() if name and not _is_part(name))

    def remove(self, name: str) -> None:
        """See :meth:`Folder.remove`."""
        with _storage_errors(self.uri(name)):
            try:
                self.fs.rm_file(self.path(name))
            except FileNotFoundError:
                return

    def sweep(self) -> None:
        """See :meth:`Folder.sweep`."""
        with _storage_errors(self.uri()):
            for name in self._listed():
                if _is_part(name):
                    self.fs.rm_file(self.path(name))

    def _listed(self) -> set[str]:
        # A listing that fsspec remembers may be older than what another worker wrote.
        self.fs.invalidate_cache(self._path)
        try:
            listed = self.fs.ls(self._path, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return set()
        return {str(path).rstrip("/").rpartition("/")[2] for path in listed}


class _RemotePart:
    """Hidden name, then a move on the server."""

    def __init__(self, place: RemoteFolder, name: str) -> None:
        self._place = place
        self._name = name
        head, _, last = name.rpartition("/")
        self._path = place.path(f"{head}/{_part_name(last)}" if head else _part_name(last))
        self._file = self._begin()

    def _begin(self) -> Any:
        fs = self._place.fs
        with _storage_errors(self._place.uri(self._name)):
            return _with_folder(fs, self._path, lambda: fs.open(self._path, "wb"))

    def write(self, data: bytes | memoryview, /) -> int:
        with _storage_errors(self._place.uri(self._name)):
            self._file.write(data)
            return len(data)

    def restart(self) -> None:
        self.discard()
        self._file = self._begin()

    def publish(self, name: str | None = None) -> str:
        fs, uri, target = self._place.fs, self._place.uri(name or self._name), self._place.path(name or self._name)
        with _storage_errors(uri):
            self._file.close()
            _with_folder(fs, target, lambda: fs.mv(self._path, target))
            fs.invalidate_cache(target.rpartition("/")[0])
        self._file = None
        return uri

    def discard(self) -> None:
        file, self._file = self._file, None
        # Neither may hide the error that led here. What can't be removed now, a later sweep removes.
        if file is not None:
            with suppress(Exception):
                file.close()
            with suppress(Exception):
                self._place.fs.rm_file(self._path)


def _with_folder(fs: Any, path: str, action: Callable[[], Any]) -> Any:
    """Do what needs the folder of *path*, which is made only when it is missed.

    Object stores have no folders, and s3fs would make a bucket out of a misspelt name.
    """
    try:
        return action()
    except FileNotFoundError:
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        return action()


class Staging:
    """Several files of one folder that are published together, or not at all.

    A context manager: leaving it without :meth:`publish` discards every part.
    """

    def __init__(self, place: Folder) -> None:
        self._folder = place
        self._parts: list[Part] = []

    def open(self, name: str) -> Part:
        """Begin the file *name* (slashes make subfolders)."""
        part = self._folder.open_part(name)
        self._parts.append(part)
        return part

    def publish(self) -> list[str]:
        """Publish in the order of opening and return the URIs in that order."""
        uris = [part.publish() for part in self._parts]
        self._parts = []
        return uris

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts:
            part.discard()


def _part_name(name: str) -> str:
    # Random, so that two processes at work on one file never write into each other's part.
    return f".{name}.part-{secrets.token_hex(6)}"


def _is_part(name: str) -> bool:
    return name.startswith(".") and ".part-" in name


@contextmanager
def _storage_errors(uri: str) -> Iterator[None]:
    """Turn what file systems raise into one error that names the place and loses nothing."""
    try:
        yield
    except OSError as error:
        # What fsspec's file systems raise has no text of the operating system's.
        known = {FileNotFoundError: "No such file or directory", PermissionError: "Permission denied"}
        reason = error.strerror or known.get(type(error), type(error).__name__)
        raise StorageUnavailable(
            f"Can't use {uri}: {reason}. Check that the place exists and may be written."
        ) from error
    except Exception as error:
        # Clients of object stores raise their own classes, whose texts can hold signed addresses.
        raise StorageUnavailable(f"Can't use {uri}: {type(error).__name__}.") from None
