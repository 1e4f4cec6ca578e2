"""Files that appear completely or not at all, on a local disk or an object store.

A reader of a folder never meets half a file:

* **Local disk**: a part with a hidden name, ``fsync``, then ``os.replace``. Files are readable by their owner only,
  since they hold education records.
* **Object stores** (S3, Google Cloud Storage, Azure, …): an unnamed local temporary file, then one upload under the
  final key. There are no part objects, and so no hidden versions of them.
* **Other stores** (SFTP and the like): the same local file, uploaded under a hidden name, then renamed on the server.

A *folder* is a local path, a URI, or a path object with ``fs`` and ``path`` such as Airflow's
``ObjectStoragePath``; this package imports none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.storage.base import (
    Folder,
    Part,
    StoredFile,
    WritableFile,
    check_address,
    is_part,
    redacted_uri,
    storage_errors,
)
from airflow_provider_apscores.storage.local import LocalFolder
from airflow_provider_apscores.storage.remote import RemoteFolder
from airflow_provider_apscores.storage.temporary import SpoolFile

__all__ = [
    "Folder",
    "LocalFolder",
    "Part",
    "RemoteFolder",
    "SpoolFile",
    "Staging",
    "StoredFile",
    "WritableFile",
    "check_address",
    "folder",
    "is_part",
    "locate",
    "storage_errors",
]

_LOCAL = frozenset({"", "file", "local"})


def folder(place: Any) -> Folder:
    """The folder at a local path, a URI, or a path object with ``fs`` and ``path``.

    Raises:
        ConfigurationError: No file system is installed for the URI's scheme; or see :func:`check_address`.
        StorageUnavailable: The store can't be reached. Some file systems, such as SFTP's, connect at once.
    """
    if hasattr(place, "fs") and hasattr(place, "path"):
        if getattr(place, "protocol", "") in _LOCAL:
            return LocalFolder(Path(place.path).absolute())
        return RemoteFolder(place.fs, place.path, str(place))
    text = check_address(os.fspath(place))
    if "://" not in text:
        return LocalFolder(Path(text).absolute())
    scheme, _, path = text.partition("://")
    if scheme in _LOCAL:
        # Not unquoted: fsspec does not unquote either.
        return LocalFolder(Path(path))
    with storage_errors(text):
        try:
            import fsspec

            fs, path = fsspec.core.url_to_fs(text)
        except (ImportError, ValueError) as error:
            # The text of an ImportError names the package to install.
            hint = error if isinstance(error, ImportError) else "Install its package, for instance s3fs for s3://."
            raise ConfigurationError(
                f"There is no file system for {scheme}:// here, or {redacted_uri(text)} is not an address of one. "
                f"{hint}"
            ) from error
    return RemoteFolder(fs, path, text)


def locate(place: Any) -> tuple[Folder, str]:
    """The folder of one file, and the file's name in it."""
    if hasattr(place, "fs") and hasattr(place, "path"):
        return folder(place.parent), place.name
    text = check_address(os.fspath(place))
    if "://" not in text:
        path = Path(text).absolute()
        return LocalFolder(path.parent), path.name
    # The slashes of the scheme do not separate folders: memory://scores.txt is at the top of its store.
    name = text.partition("://")[2].rpartition("/")[2]
    return folder(text.removesuffix(name)), name


class Staging:
    """Several files of one folder that are published when all of them are written.

    A context manager: leaving it without :meth:`publish` discards every part. Each file appears completely or not at
    all. They appear one after the other: if the process is killed between two of them, the next try writes the rest.
    """

    def __init__(self, place: Folder) -> None:
        self._folder = place
        self._parts: dict[str, Part] = {}

    def open(self, name: str) -> Part:
        """Begin the file *name* (slashes make subfolders)."""
        part = self._folder.open_part(name)
        self._parts[name] = part
        return part

    def publish(self, renamed: Callable[[str], str] = str) -> list[str]:
        """Publish in the order of opening and return the URIs in that order.

        Args:
            renamed: Returns the final name of a file, from the name under which it was begun.
        """
        uris = [part.publish(renamed(name)) for name, part in self._parts.items()]
        self._parts = {}
        return uris

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts.values():
            part.discard()
