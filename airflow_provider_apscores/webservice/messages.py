"""The nouns of a conversation with College Board.

All of them are frozen, check themselves when made, and show no secret in their ``repr``. Nothing here sends
anything, and no JSON key or URL is spelled here: see :mod:`~airflow_provider_apscores.webservice.protocol`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from airflow_provider_apscores.errors import ConfigurationError

FILE_FORMATS = ("TXT", "CSV")
DOWNLOAD_TYPES = ("new", "full")

Kind = Literal["login", "order", "download", "record"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A College Board professional account.

    Attributes:
        email: The account's e-mail address.
        password: As a person would type it; not Base64.

    Raises:
        ConfigurationError: One of them is empty, or the password ends in a line break.
    """

    email: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.email.strip():
            raise ConfigurationError("The e-mail address of the College Board account is missing.")
        if not self.password:
            raise ConfigurationError("The password of the College Board account is missing.")
        if self.password.endswith(("\n", "\r")):
            raise ConfigurationError(
                "The password ends in a line break, as one does that was read from a file or came from `echo`. A login "
                "with it would fail, and failed logins lock accounts. Store it without; for its Base64 form: "
                "printf %s 'PASSWORD' | base64"
            )

    @property
    def encoded(self) -> str:
        """The password as the service wants it: Base64 of its UTF-8 bytes."""
        return base64.b64encode(self.password.encode()).decode("ascii")

    @classmethod
    def from_base64(cls, email: str, encoded: str) -> Credentials:
        """Credentials whose stored password is already encoded.

        Raises:
            ConfigurationError: *encoded* is not Base64 of a text, or that text can't be a password.
        """
        encoded = encoded.strip()
        try:
            decoded = base64.b64decode(encoded, validate=True)
            password = decoded.decode()
        except (binascii.Error, ValueError):
            password = ""
        if not password or base64.b64encode(password.encode()).decode("ascii") != encoded:
            raise ConfigurationError(
                "The password is declared to be Base64, and is not Base64 of a text in UTF-8. Store the password as "
                "it is typed and set password_encoding to plain, or encode it with: printf %s 'PASSWORD' | base64"
            )
        return cls(email, password)


@dataclass(frozen=True, slots=True)
class FileOrder:
    """What College Board is asked to generate.

    Attributes:
        di_code: The campus, as four digits.
        file_format: ``TXT`` or ``CSV``.
        download_type: ``new``: all since this account last recorded a download for the campus; ``full``: all since
            the current reporting year began, usually 1 July.

    Raises:
        ConfigurationError: One of them is none of these.
    """

    di_code: str
    file_format: str = "TXT"
    download_type: str = "new"

    def __post_init__(self) -> None:
        if not (isinstance(self.di_code, str) and re.fullmatch(r"[0-9]{4}", self.di_code)):
            raise ConfigurationError(
                f"A campus is named by its DI code, a text of four digits such as '0417', not {self.di_code!r}."
            )
        check_file_format(self.file_format)
        if self.download_type not in DOWNLOAD_TYPES:
            raise ConfigurationError(f"The download type is 'new' or 'full', not {self.download_type!r}.")

    def __str__(self) -> str:
        return f"a {self.download_type} {self.file_format} file for campus {self.di_code}"


def check_file_format(file_format: str) -> None:
    """Raise :class:`ConfigurationError` unless *file_format* is one that College Board makes."""
    if file_format not in FILE_FORMATS:
        raise ConfigurationError(f"The file format is 'TXT' or 'CSV', not {file_format!r}.")


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file that College Board has made and keeps for a short while.

    Attributes:
        order: What was asked for.
        download_id: How the service calls this file when it is recorded. Each generation has another, also when the
            content is the same.
        file_name: A name for people, never a key. Whatever the service sent, this is one bare, harmless name.
        url: Where to fetch it; pre-signed, so whoever has it has the file.
        expires_at: When *url* stops working (UTC), or None when it does not say.
    """

    order: FileOrder
    download_id: str
    file_name: str
    url: str = field(repr=False)
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        fallback = f"AP_HED_Scores_{self.order.di_code}.{self.order.file_format.lower()}"
        object.__setattr__(self, "file_name", safe_name(self.file_name) or fallback)


def safe_name(name: str) -> str:
    """One harmless file name out of an untrusted one; empty when nothing of it can be used."""
    bare = re.split(r"[/\\]", name)[-1]
    bare = re.sub(r"[^A-Za-z0-9._-]+", "_", bare).strip("._-")
    stem, dot, ending = bare.rpartition(".")
    if not dot or len(ending) > 8:
        return bare[:120]
    return f"{stem[:110]}.{ending}"


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One HTTP request for a driver to send.

    Attributes:
        kind: Which of the four calls it belongs to. The answer to a ``download`` goes into the sink.
        what: The same in words, for logs and messages: "ordering a new TXT file for campus 4866".
        patience: Seconds within which the whole answer must arrive, or None for no such limit.
        discard: Hash and count the file, but keep its bytes out of the sink: a second transfer, for comparison.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    kind: Kind
    what: str
    patience: float | None = None
    discard: bool = False

    def __repr__(self) -> str:
        place = urlsplit(self.url)
        path = place.path if self.kind != "download" else "/…"
        return f"Request({self.method} {place.scheme}://{place.hostname}{path}, {self.what})"


@dataclass(frozen=True, slots=True)
class Received:
    """What a driver put into a sink.

    Attributes:
        bytes: How many, after any content encoding was undone.
        sha256: Their SHA-256, as hexadecimal digits.
        framed: Whether the service marked the end of the body, by its length or by chunks. Without that, a body that
            was cut looks like a whole one.
    """

    bytes: int
    sha256: str
    framed: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        body: The body; empty when it went into the sink.
        headers: By name; looked up with :meth:`header`, in which case does not matter.
        received: What went into the sink, or None when nothing did.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    received: Received | None = None

    def header(self, name: str) -> str:
        """The value of a header, empty when it is not there."""
        for known, value in self.headers.items():
            if known.lower() == name.lower():
                return value
        return ""


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause before the next request.

    Attributes:
        seconds: How long.
        reason: Why, as one sentence for the log.
    """

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A score file that has arrived whole.

    Attributes:
        generated: The file that was fetched: another than the one asked for when its URL had expired and the file was
            ordered afresh. Its ``download_id`` is the one to record.
        bytes: Length.
        sha256: SHA-256 of the bytes, as hexadecimal digits.
        seconds: How long it took, waiting included.
    """

    generated: GeneratedFile
    bytes: int
    sha256: str
    seconds: float
