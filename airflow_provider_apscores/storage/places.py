"""What a folder and a part are, and what all kinds of them share."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Literal, Protocol

from airflow_provider_apscores.errors import APScoresError, StorageUnavailable

#: Bytes of one piece where a file is read piece by piece.
CHUNK = 1 << 20


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

    def read(self, name: str) -> bytes | None:
        """The contents of a small file as they are at one moment, or None when there is no such file."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The contents of a file of any length, piece by piece."""

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None when there is no such file."""

    def listed(self, *, missing_ok: bool = True) -> list[str]:
        """The names of all that is in this folder, sorted; empty when it does not exist.

        Raises:
            StorageUnavailable: It can't be read; or it does not exist, unless *missing_ok*.
        """

    def names(self) -> list[str]:
        """The names of the files and folders in this folder, sorted, parts left out; empty when it does not exist."""
        return [name for name in self.listed() if not is_part(name)]

    def parts(self) -> list[str]:
        """The names of parts in this folder, sorted: files being written, or left by killed processes."""
        return [name for name in self.listed() if is_part(name)]

    def remove(self, name: str) -> None:
        """Delete a file; nothing happens when it is not there."""

    def sweep(self) -> None:
        """Delete the parts in this folder."""
        for name in self.parts():
            self.remove(name)

    def try_out(self) -> None:
        """Write a byte here and take it away again, which leaves nothing behind.

        Raises:
            StorageUnavailable: This place can't be written.
        """


class Part(Protocol):
    """A file being written."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Append bytes."""

    def restart(self) -> None:
        """Throw away what was written and begin again."""

    def close(self) -> None:
        """Say that all bytes are written: nothing is held open any longer, and what follows is :meth:`publish`."""

    def publish(self, name: str | None = None) -> str:
        """Make the file visible and durable under its name, or another *name* of its folder; return its URI."""

    def discard(self) -> None:
        """Throw the part away; harmless after :meth:`publish`."""


def part_name(name: str) -> str:
    # Random, so that two processes at work on one file never write into each other's part.
    return f".{name}.part-{secrets.token_hex(6)}"


def is_part(name: str) -> bool:
    return name.startswith(".") and ".part-" in name


def shown(uri: str) -> str:
    """A URI for messages, without a password, or the query of a signed address, in it."""
    bare = re.sub(r"(?<=://)[^/@]*:[^/]*@", "", uri)
    return bare.partition("?")[0] if bare.startswith(("http://", "https://")) else bare


@contextmanager
def storage_errors(uri: str, doing: Literal["use", "read"] = "use") -> Iterator[None]:
    """Turn what file systems raise into one error that names the place and loses nothing."""
    try:
        yield
    except APScoresError:
        raise  # clear already
    except OSError as error:
        # What fsspec's file systems raise has no text of the operating system's, but perhaps a signed address.
        known = {
            FileNotFoundError: "No such file or directory",
            IsADirectoryError: "Is a directory",
            NotADirectoryError: "Not a directory",
            PermissionError: "Permission denied",
        }
        reason = error.strerror or known.get(type(error), type(error).__name__)
        raise _unavailable(uri, doing, reason) from (error if error.strerror else None)
    except Exception as error:
        # Clients of object stores raise their own classes, whose texts can hold signed addresses.
        raise _unavailable(uri, doing, type(error).__name__) from None


def _unavailable(uri: str, doing: str, reason: str) -> StorageUnavailable:
    advice = "it exists and may be read" if doing == "read" else "the place exists and may be written"
    return StorageUnavailable(f"Can't {doing} {shown(uri)}: {reason}. Check that {advice}.")
