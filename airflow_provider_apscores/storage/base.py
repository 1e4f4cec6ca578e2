"""The interface of folders and parts, and what all kinds of them share."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Literal, Protocol

from airflow_provider_apscores.errors import APScoresError, ConfigurationError, StorageUnavailable

#: Bytes that are read at a time when a file is read in chunks.
CHUNK = 1 << 20

#: Seconds after which a part belongs to an interrupted process. Writing one takes minutes at most.
STALE_AFTER = 6 * 3600

#: Characters of a file name that no file system exceeds.
_LONGEST_NAME = 255

_PART = re.compile(r"\..+\.part-(?P<begun>[0-9a-f]{1,15})-[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a listing.

    Attributes:
        name: Its name in the listed folder, with slashes for the folders below.
        size: Its length in bytes.
        modified: When it was last written, as the store says it.
    """

    name: str
    size: int
    modified: datetime


class WritableFile(Protocol):
    """A file that can be written and shortened."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Append bytes."""

    def truncate(self, size: int) -> None:
        """Keep the first *size* bytes, and append behind them from now on."""


class Part(WritableFile, Protocol):
    """A file that is being written. Readers do not see it before :meth:`publish`."""

    def prepare(self) -> None:
        """Store all bytes, so that :meth:`publish` only gives them their name; object stores have no such step."""

    def publish(self, name: str | None = None) -> str:
        """Make the file visible and durable under its name, or another *name* of its folder; return its URI."""

    def discard(self) -> None:
        """Delete the part. Has no effect after :meth:`publish`."""


class Folder(Protocol):
    """A place for files: the few operations that this package needs."""

    def child(self, name: str) -> Folder:
        """The folder *name* inside this one; *name* may hold slashes."""

    def uri(self, name: str = "") -> str:
        """The URI of this folder or of a file in it, as ``ObjectStoragePath`` accepts it."""

    def open_part(self, name: str) -> Part:
        """Begin the file *name* (slashes make subfolders)."""

    def write(self, name: str, data: bytes) -> str:
        """Store a small file, completely or not at all; return its URI."""
        part = self.open_part(name)
        try:
            part.write(data)
            return part.publish()
        finally:
            part.discard()

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""

    def read(self, name: str) -> bytes | None:
        """The contents of a small file, read in one request; None if there is no such file."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The contents of a file of any length, in pieces of :data:`CHUNK` bytes."""

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None if there is no such file."""

    def modified(self, name: str) -> datetime:
        """When a file was last written, as the store says it."""

    def listed(self, *, missing_ok: bool = True) -> list[str]:
        """The names of all files and folders in this folder, sorted; empty if it does not exist.

        Raises:
            StorageUnavailable: It can't be read; or it does not exist, unless *missing_ok*.
        """

    def tree(self) -> list[StoredFile]:
        """All files in this folder and in the folders below, parts included, sorted by name; empty if it is missing.

        Object stores answer with one request per thousand files.

        Raises:
            StorageUnavailable: A folder can't be read.
        """

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Each name with the contents of that small file, or None if there is none; at once where the store allows."""
        for name in names:
            yield name, self.read(name)

    def remove(self, name: str) -> None:
        """Delete a file. Has no effect if there is none."""

    def remove_many(self, names: Iterable[str]) -> None:
        """Delete files; at once where the store allows."""
        for name in names:
            self.remove(name)

    def create(self, name: str, data: bytes) -> bool:
        """Create the small file *name* unless there is one; return whether it was created. Of two at once, one is."""

    def move(self, old: str, new: str) -> None:
        """Give a file of this folder another name; what has that name is replaced."""

    def check_writable(self) -> None:
        """Write a byte to this folder and remove it again.

        Raises:
            StorageUnavailable: The folder can't be written.
        """

    def names(self) -> list[str]:
        """The names of the files and folders in this folder without parts, sorted; empty if it does not exist."""
        return [name for name in self.listed() if not is_part(name)]

    def parts(self) -> list[str]:
        """The names of the parts in this folder, sorted: being written now, or left by interrupted processes."""
        return [name for name in self.listed() if is_part(name)]

    def remove_stale_parts(self, older_than: float = STALE_AFTER) -> None:
        """Delete the parts that were begun more than *older_than* seconds ago; with 0, all of them."""
        for name in self.parts():
            if part_age(name) >= older_than:
                self.remove(name)


def part_name(name: str) -> str:
    """A hidden name for a part of the file *name*: when it was begun, and a random number.

    Two processes that write the same file have different parts.
    """
    return f".{name}.part-{int(time.time()):x}-{secrets.token_hex(6)}"


def is_part(name: str) -> bool:
    """Whether :func:`part_name` made this name."""
    return _PART.fullmatch(name) is not None


def part_age(name: str) -> float:
    """Seconds since a part was begun. The clocks of two workers may differ, but not by hours."""
    match = _PART.fullmatch(name)
    assert match is not None
    return max(0.0, time.time() - int(match["begun"], 16))


def check_address(text: str) -> str:
    """Return *text* if it can be a path or a URI.

    Raises:
        ConfigurationError: It has a line end, or a name that is longer than file systems allow, or one slash after its
            scheme. The error does not quote it, since it may be the content of a score file.
    """
    if found := re.match(r"([A-Za-z][A-Za-z0-9+.-]{1,15}):/(?!/)", text):
        raise ConfigurationError(f"An address has two slashes after its scheme: {found[1]}://, not {found[1]}:/.")
    too_long = "://" not in text and max(map(len, text.split("/"))) > _LONGEST_NAME
    if too_long or "\n" in text or "\r" in text:
        raise ConfigurationError(
            "A path or a URI is expected, and this text is neither; perhaps it is the content of a file. "
            "Pass the path of the file; the Python functions that read score files accept the content as bytes."
        )
    return text


def no_single_file(uri: str, *, is_folder: bool) -> ConfigurationError | None:
    """Return the error for *uri* if it is a folder or a pattern, where one file is expected; None for anything else."""
    uri = redacted_uri(uri)
    if is_folder or any(sign in uri for sign in "*?["):
        kind = "a folder" if is_folder else "a pattern, or there is no such file"
        return ConfigurationError(
            f"{uri} is {kind}. Give one file. For several, name each in the command, or map the task."
        )
    return None


def redacted_uri(uri: str) -> str:
    """A URI for messages: without a password, and without the query of a signed address."""
    bare = re.sub(r"(?<=://)[^/@]*:[^/]*@", "", uri)
    return bare.partition("?")[0] if bare.startswith(("http://", "https://")) else bare


@contextmanager
def storage_errors(uri: str, doing: Literal["use", "read"] = "use") -> Iterator[None]:
    """Turn the exceptions of file systems into one error that names the place and quotes no server.

    Raises:
        ConfigurationError: A part of the path is a file.
        StorageUnavailable: The body raised anything else but an :class:`APScoresError`.
    """
    try:
        yield
    except APScoresError:
        raise
    except NotADirectoryError:
        raise ConfigurationError(
            f"Can't {doing} {redacted_uri(uri)}: Not a directory. A part of its path is a file."
        ) from None
    except OSError as error:
        # The exceptions of fsspec have no text of the operating system, but perhaps a signed address.
        known = {
            FileNotFoundError: "No such file or directory",
            IsADirectoryError: "Is a directory",
            PermissionError: "Permission denied",
        }
        reason = error.strerror or known.get(type(error), type(error).__name__)
        raise _unavailable(uri, doing, reason) from (error if error.strerror else None)
    except Exception as error:
        # Clients of object stores raise their own classes, whose texts can hold signed addresses.
        raise _unavailable(uri, doing, type(error).__name__) from None


def _unavailable(uri: str, doing: str, reason: str) -> StorageUnavailable:
    advice = "it exists and may be read" if doing == "read" else "the place exists and may be written"
    return StorageUnavailable(f"Can't {doing} {redacted_uri(uri)}: {reason}. Check that {advice}.")
