"""What is exchanged with College Board, as data: credentials, orders, requests, replies, files.

All classes are frozen, check their values when made, and show no secret in their ``repr``. JSON keys and URLs are in
:mod:`~airflow_provider_apscores.webservice.protocol`.
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
from airflow_provider_apscores.webservice.secret import Secret

FILE_FORMATS = ("TXT", "CSV")
DOWNLOAD_TYPES = ("new", "full")

Kind = Literal["login", "order", "download", "record"]


@dataclass(frozen=True, slots=True, init=False)
class Credentials:
    """A College Board professional account.

    Attributes:
        email: The account's e-mail address.
        password: As a person types it; not Base64. May be given as text.

    Raises:
        ConfigurationError: One of them is empty, or the password ends in a line break.
    """

    email: str
    password: Secret

    def __init__(self, email: str, password: Secret | str) -> None:
        password = Secret(password)
        object.__setattr__(self, "email", email)
        object.__setattr__(self, "password", password)
        if not email.strip():
            raise ConfigurationError("The e-mail address of the College Board account is missing.")
        if not password:
            raise ConfigurationError("The password of the College Board account is missing.")
        if password.reveal().endswith(("\n", "\r")):
            raise ConfigurationError(
                "The password ends in a line break, perhaps because it was read from a file or came from `echo`. A "
                "login with it would fail, and failed logins lock accounts. Store it without the line break; for its "
                "Base64 form: printf %s 'PASSWORD' | base64"
            )

    @property
    def encoded(self) -> Secret:
        """The password as the service wants it: Base64 of its UTF-8 bytes."""
        return Secret(base64.b64encode(self.password.reveal().encode()).decode("ascii"))

    @classmethod
    def from_base64(cls, email: str, encoded: Secret | str) -> Credentials:
        """Credentials whose stored password is already encoded.

        Raises:
            ConfigurationError: *encoded* is not Base64 of a text, or that text can't be a password.
        """
        encoded = Secret(encoded)
        if (password := _decoded(encoded)) is None:
            raise ConfigurationError(
                "The password is declared to be Base64, and is not Base64 of a text in UTF-8. Store the password as "
                "it is typed and set encoding to plain, or encode it with: printf %s 'PASSWORD' | base64"
            )
        return cls(email, password)


def _decoded(encoded: Secret) -> Secret | None:
    text = encoded.reveal().strip()
    try:
        decoded = base64.b64decode(text, validate=True)
        password = decoded.decode()
    except (binascii.Error, ValueError):
        return None
    # A text that only resembles Base64 is not sent: it would be a wrong password.
    return Secret(password) if password and base64.b64encode(decoded).decode("ascii") == text else None


@dataclass(frozen=True, slots=True)
class FileOrder:
    """What College Board is asked to generate.

    Attributes:
        di_code: The campus, as four digits.
        file_format: ``TXT`` or ``CSV``.
        download_type: ``new``: all since this account last recorded a download for the campus; ``full``: all since
            the current reporting year began, usually 1 July.

    Raises:
        ConfigurationError: One of them has another value.
    """

    di_code: str
    file_format: str = "TXT"
    download_type: str = "new"

    def __post_init__(self) -> None:
        if not (isinstance(self.di_code, str) and re.fullmatch(r"[0-9]{4}", self.di_code)):
            raise ConfigurationError(
                f"The DI code of a campus is a text of four digits such as '0417', not {self.di_code!r}."
                f"{lost_zeros(self.di_code)}"
            )
        check_file_format(self.file_format)
        if self.download_type not in DOWNLOAD_TYPES:
            raise ConfigurationError(f"The download type is 'new' or 'full', not {self.download_type!r}.")

    def __str__(self) -> str:
        return f"a {self.download_type} {self.file_format} file for campus {self.di_code}"


def lost_zeros(di_code: object) -> str:
    """Advice for a DI code that was perhaps written as a number: 0417 without quotes is 417, and 271 in YAML."""
    if re.fullmatch(r"[0-9]{1,3}", str(di_code)):
        return " A number loses its zeros: quote it."
    return ""


def check_file_format(file_format: str) -> None:
    """Raise :class:`ConfigurationError` unless *file_format* is one that College Board makes."""
    if file_format not in FILE_FORMATS:
        raise ConfigurationError(f"The file format is 'TXT' or 'CSV', not {file_format!r}.")


#: The form of the ids that the service gives to files. They go into messages, manifests and XCom.
DOWNLOAD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file that College Board has generated and keeps for a short while.

    Attributes:
        order: What was ordered.
        download_id: The service's id for this file; *record* names it. Each generation has another one, also when the
            content is the same.
        file_name: A name for people, never a key. Reduced to one harmless name, whatever the service sent.
        url: Where to fetch the file. It is pre-signed: the URL alone gives access to the file. A text is wrapped.
        expires_at: When *url* stops working (UTC), or None when it does not say.
    """

    order: FileOrder
    download_id: str
    file_name: str
    url: Secret
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        fallback = f"AP_HED_Scores_{self.order.di_code}.{self.order.file_format.lower()}"
        object.__setattr__(self, "file_name", safe_name(self.file_name) or fallback)
        object.__setattr__(self, "url", Secret(self.url))


def safe_name(name: str) -> str:
    """One harmless file name made from an untrusted one; empty when no character of it can be used."""
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
    """What a driver wrote into a sink.

    Attributes:
        bytes: Length, after any content encoding was removed.
        sha256: SHA-256 of the bytes, as hexadecimal digits.
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
        headers: By name; :meth:`header` looks them up in any case.
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
        generated: The file that was fetched. It differs from the file asked for when its URL had expired and the file
            was ordered again. Its ``download_id`` is the one to record.
        bytes: Length.
        sha256: SHA-256 of the bytes, as hexadecimal digits.
        seconds: How long it took, waiting included.
    """

    generated: GeneratedFile
    bytes: int
    sha256: str
    seconds: float
