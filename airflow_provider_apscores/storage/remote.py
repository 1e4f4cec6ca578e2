"""Folders on anything that fsspec supports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from inspect import signature
from itertools import islice
from typing import IO, Any, cast

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.storage.base import (
    CHUNK,
    Folder,
    Part,
    StoredFile,
    no_single_file,
    part_name,
    storage_errors,
)
from airflow_provider_apscores.storage.temporary import SpoolFile

#: File systems whose uploads appear whole or not at all. All others, such as SFTP's, show a file while it grows.
_ATOMIC = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "memory"})

#: How listings name the moment of the last change: S3; SFTP and Google; Azure; in memory.
_MODIFIED = ("LastModified", "mtime", "last_modified", "created")

#: Bytes of a piece of a large upload. The pieces that are sent at once are in memory; s3fs takes ten of 50 MB.
_UPLOADED = 16 << 20

#: Small files that are requested before the first is handed out.
_READ_AT_ONCE = 500


class RemoteFolder(Folder):
    """A folder on anything that fsspec supports.

    Args:
        fs: The fsspec file system.
        path: The folder's path, as the file system names it.
        uri: The folder's address, for messages and references.
    """

    def __init__(self, fs: Any, path: str, uri: str) -> None:
        self.fs = fs
        self._path = path.rstrip("/")
        # The top of a file system is its scheme alone, whose slashes stay.
        scheme, slashes, rest = uri.partition("://")
        self._uri = scheme + slashes + rest.rstrip("/")

    def __repr__(self) -> str:
        return f"RemoteFolder({self._uri!r})"

    def path(self, name: str) -> str:
        """The path of *name*, as the file system names it."""
        return f"{self._path}/{name}"

    def child(self, name: str) -> RemoteFolder:
        """See :meth:`Folder.child`."""
        return RemoteFolder(self.fs, self.path(name), self.uri(name))

    def uri(self, name: str = "") -> str:
        """See :meth:`Folder.uri`."""
        return self._uri + name if self._uri.endswith("://") or not name else f"{self._uri}/{name}"

    def open_part(self, name: str) -> Part:
        """See :meth:`Folder.open_part`."""
        return _RemotePart(self, name)

    def open(self, name: str) -> IO[bytes]:
        """See :meth:`Folder.open`."""
        path = self.path(name)
        with storage_errors(self.uri(name), "read"):
            try:
                file = cast("IO[bytes]", self.fs.open(path, "rb"))
            except (OSError, ValueError) as fault:
                # Not after a PermissionError: without permission, a bucket seems to be missing.
                if isinstance(fault, FileNotFoundError):
                    self._check_bucket(path)
                if error := no_single_file(self.uri(name), is_folder=self.fs.isdir(path)):
                    raise error from None
                raise
            # s3fs opens a folder as an empty file.
            if (getattr(file, "details", None) or {}).get("type") == "directory":
                file.close()
                raise cast("ConfigurationError", no_single_file(self.uri(name), is_folder=True))
            return file

    def read(self, name: str) -> bytes | None:
        """See :meth:`Folder.read`."""
        with storage_errors(self.uri(name), "read"):
            try:
                # Not through an open file: s3fs refuses to read a file that another worker has replaced since.
                return cast("bytes", self.fs.cat_file(self.path(name), **self._whole))
            except FileNotFoundError:
                return None

    def chunks(self, name: str) -> Iterator[bytes]:
        """See :meth:`Folder.chunks`."""
        with storage_errors(self.uri(name), "read"), self.fs.open(self.path(name), "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def size(self, name: str) -> int | None:
        """See :meth:`Folder.size`."""
        with storage_errors(self.uri(name), "read"):
            self.fs.invalidate_cache(self._path)
            try:
                return int(self.fs.info(self.path(name))["size"])
            except FileNotFoundError:
                return None

    def modified(self, name: str) -> datetime:
        """See :meth:`Folder.modified`."""
        with storage_errors(self.uri(name), "read"):
            return self._modified(self.fs.info(self.path(name)))

    def remove(self, name: str) -> None:
        """See :meth:`Folder.remove`."""
        with storage_errors(self.uri(name)):
            try:
                self.fs.rm_file(self.path(name))
            except FileNotFoundError:
                return

    def remove_many(self, names: Iterable[str]) -> None:
        """See :meth:`Folder.remove_many`."""
        names = list(names)
        paths = [self.path(name) for name in names]
        # fsspec takes these signs for a pattern.
        if not (self._atomic and self.fs.async_impl) or any(sign in path for path in paths for sign in "*?["):
            super().remove_many(names)
        elif paths:
            with storage_errors(self.uri()):
                self.fs.rm(paths)

    def create(self, name: str, data: bytes) -> bool:
        """See :meth:`Folder.create`."""

        def write(path: str) -> None:
            if self._atomic:
                self.fs.pipe_file(path, data, mode="create")
            else:
                with self.fs.open(path, "wxb") as file:
                    file.write(data)

        if self.size(name) is not None:
            return False
        with storage_errors(self.uri(name)):
            try:
                self._in_folder(name, write)
            except OSError as error:
                # SFTP servers have no error of their own for a file that exists.
                if isinstance(error, FileExistsError) or self.size(name) is not None:
                    return False
                raise
        return True

    def move(self, old: str, new: str) -> None:
        """See :meth:`Folder.move`."""
        with storage_errors(self.uri(new)):
            self.fs.mv(self.path(old), self.path(new))
            self.fs.invalidate_cache(self._path)

    def check_writable(self) -> None:
        """See :meth:`Folder.check_writable`."""
        with storage_errors(self.uri()):
            self._in_folder(".write-check", lambda path: self.fs.pipe_file(path, b"\0"))
        self.remove(".write-check")

    def listed(self, *, missing_ok: bool = True) -> list[str]:
        """See :meth:`Folder.listed`."""
        with storage_errors(self.uri(), "read"):
            # A listing that fsspec has cached may be older than a file of another worker.
            self.fs.invalidate_cache(self._path)
            try:
                listed = self.fs.ls(self._path, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                if missing_ok:
                    return []
                raise
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in listed} - {""})

    def tree(self) -> list[StoredFile]:
        """See :meth:`Folder.tree`."""
        with storage_errors(self.uri(), "read"):
            # fsspec's own find() leaves out folders that can't be read; those of object stores list keys.
            if self._atomic and self.fs.async_impl:
                found = list(self.fs.find(self._path, detail=True).values())
            else:
                self.fs.invalidate_cache(self._path)
                found = list(self._files_below(self._path))
            # All of it: invalidate_cache() of a folder keeps the listings of those below it.
            self.fs.invalidate_cache()
            start = len(self.path(""))
            files = [StoredFile(each["name"][start:], each["size"], self._modified(each)) for each in found]
            return sorted(files, key=lambda file: file.name)

    def _files_below(self, path: str) -> Iterator[Mapping[str, Any]]:
        try:
            entries = self.fs.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry["type"] == "directory":
                yield from self._files_below(entry["name"])
            else:
                yield entry

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """See :meth:`Folder.read_many`."""
        names = iter(names)
        while some := list(islice(names, _READ_AT_ONCE)):
            with storage_errors(self.uri(), "read"):
                nothing = [None] * len(some)
                paths = [self.path(name) for name in some]
                found = self.fs.cat_ranges(paths, nothing, nothing, on_error="return", **self._whole)
                for data in found:
                    if isinstance(data, Exception) and not isinstance(data, FileNotFoundError):
                        raise data
            for name, data in zip(some, found, strict=True):
                yield name, None if isinstance(data, Exception) else data

    def parts(self) -> list[str]:
        """See :meth:`Folder.parts`. Object stores have none."""
        return [] if self._atomic else super().parts()

    def upload_part(self, spool: SpoolFile, name: str) -> str | None:
        """Store a local copy under a hidden name, and return that name; None where an upload appears as a whole."""
        if self._atomic:
            return None
        head, slash, last = name.rpartition("/")
        part = head + slash + part_name(last)
        try:
            self._in_folder(part, lambda path: self.fs.put_file(spool.path, path))
        except BaseException:
            # The removal may not hide the original error.
            with suppress(Exception):
                self.fs.rm_file(self.path(part))
            raise
        return part

    def upload(self, spool: SpoolFile, name: str) -> None:
        """Store a local copy under *name*, where an upload appears as a whole or not at all."""
        # One upload of the whole copy, never an open file: that commits what it has when it is closed early.
        pieces = self._supported(self.fs.put_file, chunksize=_UPLOADED, max_concurrency=4)
        self._in_folder(name, lambda path: self.fs.put_file(spool.path, path, **pieces))
        self.fs.invalidate_cache(self.path(name).rpartition("/")[0])

    @property
    def _whole(self) -> dict[str, int]:
        """Arguments that read a small file in one request: s3fs asks for the length first, to split large files."""
        return self._supported(self.fs.cat_file, max_concurrency=1)

    @staticmethod
    def _supported(method: Callable[..., Any], **arguments: int) -> dict[str, int]:
        """Those of *arguments* that the *method* of a file system takes."""
        known = signature(method).parameters
        return {name: value for name, value in arguments.items() if name in known}

    def _modified(self, info: Mapping[str, Any]) -> datetime:
        moment = next((info[word] for word in _MODIFIED if info.get(word)), None) or self.fs.modified(info["name"])
        moment = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int | float) else moment
        found: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return found

    @property
    def _atomic(self) -> bool:
        protocol = self.fs.protocol
        return not _ATOMIC.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)

    def _check_bucket(self, path: str) -> None:
        """Raise an error that is not transient if the bucket of *path* does not exist."""
        bucket = path.lstrip("/").partition("/")[0]
        if self._atomic and "memory" not in self.fs.protocol and not self.fs.exists(bucket):
            raise ConfigurationError(f"There is no bucket {bucket} for {self.uri()}. Check its name, or create it.")

    def _in_folder(self, name: str, write: Callable[[str], Any]) -> None:
        """Write the file *name*, and create its folder if there is none.

        Object stores have no folders, and s3fs would create a bucket for a misspelt name.
        """
        path = self.path(name)
        try:
            write(path)
        except FileNotFoundError:
            if self._atomic:
                self._check_bucket(path)
                raise
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            write(path)


class _RemotePart:
    """An unnamed local copy, then an upload."""

    def __init__(self, place: RemoteFolder, name: str) -> None:
        self._place = place
        self._name = name
        self._spool = SpoolFile()
        self._part: str | None = None

    def write(self, data: bytes | memoryview, /) -> int:
        return self._spool.write(data)

    def truncate(self, size: int) -> None:
        self._spool.truncate(size)

    def prepare(self) -> None:
        self._upload_part(self._name)

    def publish(self, name: str | None = None) -> str:
        name = name or self._name
        self._upload_part(name)
        if self._part is not None:
            self._place.move(self._part, name)
            self._part = None
        else:
            with storage_errors(self._place.uri(name)):
                self._place.upload(self._spool, name)
        self._spool.close()
        return self._place.uri(name)

    def discard(self) -> None:
        self._spool.close()
        if self._part is not None:
            # The removal may not hide the original error.
            with suppress(Exception):
                self._place.remove(self._part)

    def _upload_part(self, name: str) -> None:
        if self._part is None:
            with storage_errors(self._place.uri(name)):
                self._part = self._place.upload_part(self._spool, name)
