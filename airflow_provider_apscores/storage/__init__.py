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
from pathlib import Path
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.storage.local import LocalFolder
from airflow_provider_apscores.storage.places import Folder, Part, shown, storage_errors
from airflow_provider_apscores.storage.remote import RemoteFolder

__all__ = ["Folder", "LocalFolder", "Part", "RemoteFolder", "Staging", "folder", "locate"]

_LOCAL = frozenset({"", "file", "local"})


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
    if "://" not in text:
        return LocalFolder(Path(text).absolute())
    scheme, _, path = text.partition("://")
    if scheme in _LOCAL:
        # Not unquoted, as fsspec does not either.
        return LocalFolder(Path(path))
    # Some file systems, such as SFTP's, connect at once.
    with storage_errors(text):
        try:
            import fsspec

            fs, path = fsspec.core.url_to_fs(text)
        except (ImportError, ValueError) as error:
            raise ConfigurationError(
                f"There is no file system for {scheme}:// here, or this is no address of one: {shown(text)}. "
                "Install the one for it, for instance s3fs for s3://."
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
    # The slashes of the scheme are none between folders: memory://scores.txt stands at the top of its store.
    name = text.partition("://")[2].rpartition("/")[2]
    return folder(text.removesuffix(name)), name


class Staging:
    """Several files of one folder that are published once all of them are written.

    A context manager: leaving it without :meth:`publish` discards every part. Each file appears whole or not at all;
    they appear one after the other, so that a process killed between two of them leaves the others for its next try.
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
