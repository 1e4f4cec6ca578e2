"""Folders on anything that fsspec speaks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any, cast

from airflow_provider_apscores.storage.places import CHUNK, Folder, Part, part_name, storage_errors


class RemoteFolder(Folder):
    """A folder on anything that fsspec speaks to."""

    def __init__(self, fs: Any, path: str, uri: str) -> None:
        self.fs = fs
        self._path = path.rstrip("/")
        # The top of a file system is named by its scheme alone, whose slashes stay.
        scheme, slashes, rest = uri.partition("://")
        self._uri = scheme + slashes + rest.rstrip("/")

    def __repr__(self) -> str:
        return f"RemoteFolder({self._uri!r})"

    def path(self, name: str) -> str:
        """The path of *name* as the file system knows it."""
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
        with storage_errors(self.uri(name), "read"):
            return cast("IO[bytes]", self.fs.open(self.path(name), "rb"))

    def read(self, name: str) -> bytes | None:
        """See :meth:`Folder.read`."""
        with storage_errors(self.uri(name), "read"):
            try:
                # Not by an open file: s3fs refuses to read one that another worker has replaced since.
                return cast("bytes", self.fs.cat_file(self.path(name)))
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

    def remove(self, name: str) -> None:
        """See :meth:`Folder.remove`."""
        with storage_errors(self.uri(name)):
            try:
                self.fs.rm_file(self.path(name))
            except FileNotFoundError:
                return

    def try_out(self) -> None:
        """See :meth:`Folder.try_out`."""
        path = self.path(".trial")
        with storage_errors(self.uri()), _with_folder(self.fs, path, lambda: self.fs.open(path, "wb")) as file:
            file.write(b"\0")
        self.remove(".trial")

    def listed(self, *, missing_ok: bool = True) -> list[str]:
        """See :meth:`Folder.listed`."""
        with storage_errors(self.uri(), "read"):
            # A listing that fsspec remembers may be older than what another worker wrote.
            self.fs.invalidate_cache(self._path)
            try:
                listed = self.fs.ls(self._path, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                if missing_ok:
                    return []
                raise
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in listed} - {""})


class _RemotePart:
    """Hidden name, then a move on the server."""

    def __init__(self, place: RemoteFolder, name: str) -> None:
        self._place = place
        self._name = name
        head, _, last = name.rpartition("/")
        self._path = place.path(f"{head}/{part_name(last)}" if head else part_name(last))
        self._file = self._begin()

    def _begin(self) -> Any:
        fs = self._place.fs
        with storage_errors(self._place.uri(self._name)):
            return _with_folder(fs, self._path, lambda: fs.open(self._path, "wb"))

    def write(self, data: bytes | memoryview, /) -> int:
        with storage_errors(self._place.uri(self._name)):
            self._file.write(data)
            return len(data)

    def restart(self) -> None:
        self.discard()
        self._file = self._begin()

    def close(self) -> None:
        with storage_errors(self._place.uri(self._name)):
            self._file.close()

    def publish(self, name: str | None = None) -> str:
        self.close()
        fs, uri, target = self._place.fs, self._place.uri(name or self._name), self._place.path(name or self._name)
        with storage_errors(uri):
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
