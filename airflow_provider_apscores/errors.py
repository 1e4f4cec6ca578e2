"""Every exception of this package, on one page.

::

    APScoresError
    ├── ConfigurationError        the connection or an argument is wrong; nothing was sent
    ├── WebServiceError           College Board, or the connection to it
    │   ├── RequestRefused        it declined the call
    │   │   ├── CredentialsRefused
    │   │   └── CampusRefused
    │   ├── ServiceUnavailable    transient: 5xx, 429, time-outs, no connection
    │   ├── UnexpectedReply       transient: a maintenance page, bad JSON
    │   │   └── InsecureAddress   it points to an address that is not allowed
    │   ├── TransferBroken        transient: the bytes of a file ended early
    │   ├── FileTooLarge          a file has more bytes than the limit
    │   └── DownloadExpired       transient: the short-lived URL of a file has expired
    ├── ScoreFileError            the contents of a file
    │   ├── ScoreFileMalformed
    │   └── WrongCampusInFile
    ├── DeliveryError             storing a file
    │   ├── StorageUnavailable    transient: the destination can't be written or read now
    │   ├── ManifestNotUnderstood
    │   ├── DeliveryDamaged       a manifest's file is gone or changed
    │   ├── ReportsMissing        a full order has scores that were never landed
    │   ├── HandOffInProgress     transient: another task hands the same content to the same consumer
    │   ├── HandOffUnclear        whether the consumer has the file can't be seen
    │   └── NoNewReports          transient: nothing new, with on_no_new_reports="fail"
    ├── DatabaseError             loading tables into a database
    │   ├── LoadRefused
    │   └── DatabaseUnavailable   transient: the database can't be reached, or loads the same file now
    └── MailboxError              the mailbox that receives the notification e-mail
        ├── MailboxRefused
        └── MailboxUnavailable    transient: no usable answer from the mail server

``transient`` says whether the same call may succeed later without a change by a person. ``hooks/exceptions.py`` turns
that into *retry* or *fail permanently*.

No message, and no ``repr``, holds a password, its Base64 form, a token, the query of a signed URL, or anything about a
student.
"""

from __future__ import annotations

from typing import ClassVar


class APScoresError(Exception):
    """Base of every exception that this package defines.

    Attributes:
        transient: True when the same call may succeed later without a change by a person.
    """

    transient: ClassVar[bool] = False


class ConfigurationError(APScoresError):
    """The connection or an argument is wrong. Nothing was sent. Fix it and run again."""


class WebServiceError(APScoresError):
    """A call of College Board's web service failed."""


class RequestRefused(WebServiceError):
    """College Board declined a call. It would decline a repetition as well."""


class CredentialsRefused(RequestRefused):
    """The login, or the account behind it, was refused.

    Do not repeat it unchanged: wrong passwords lock accounts. The documented causes are an expired password,
    multifactor authentication switched on, site terms not accepted, and a missing role. An answer to a login that is
    not understood counts as a refusal.
    """


class CampusRefused(RequestRefused):
    """The account may not order score files for that campus (DI code), or there is no such campus."""


class ServiceUnavailable(WebServiceError):
    """No usable answer now: HTTP 5xx, 429, a time-out, a refused or reset connection.

    Attributes:
        retry_after: Seconds that the service asked to wait, or None when it named none.
        status: HTTP status of the answer, or None when no answer came. An answer that broke off has one.
    """

    transient = True

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class UnexpectedReply(WebServiceError):
    """An answer that the reference does not describe: an HTML page, bad JSON, a promised field missing."""

    transient = True


class InsecureAddress(UnexpectedReply):
    """A file is offered at an address that is not allowed: not https, or inside a private network. Nothing is sent."""

    transient = False


class TransferBroken(WebServiceError):
    """A file's bytes ended before the announced length, or the connection broke on the way."""

    transient = True


class FileTooLarge(WebServiceError):
    """A file has more bytes than ``max_bytes`` allows. Nothing was recorded; a retry would meet the same limit."""


class DownloadExpired(WebServiceError):
    """The short-lived URL of a generated file has expired, and fresh orders did not help."""

    transient = True


class ScoreFileError(APScoresError):
    """The contents of a score file are wrong."""


class ScoreFileMalformed(ScoreFileError):
    """Not an AP score file, or one whose records are not whole."""


class WrongCampusInFile(ScoreFileError):
    """A file holds records of another campus than the one asked for. A privacy incident: nothing is published."""


class DeliveryError(APScoresError):
    """A score file could not be stored at its destination, or is not there as it was stored."""


class StorageUnavailable(DeliveryError):
    """The destination can't be written, or a source can't be read, at the moment."""

    transient = True


class ManifestNotUnderstood(DeliveryError):
    """A manifest is damaged, or was written by a newer version of this provider."""


class DeliveryDamaged(DeliveryError):
    """The file that a manifest describes is missing, or is not the file that was stored."""


class ReportsMissing(DeliveryError):
    """College Board's full order has scores that storage lacks, or has with other values."""


class NoNewReports(DeliveryError):
    """College Board has nothing new for a campus, and ``on_no_new_reports="fail"`` makes that an error."""

    transient = True


class HandOffInProgress(DeliveryError):
    """Another task is handing the same content to the same consumer."""

    transient = True


class HandOffUnclear(DeliveryError):
    """A hand-off was interrupted where nothing shows whether the consumer has the file; see the message."""


class DatabaseError(APScoresError):
    """Tables could not be loaded into a database. No message holds the database's own words: they quote rows."""


class LoadRefused(DatabaseError):
    """The database refused: a table or column is missing, a value does not fit, a right is lacking."""


class DatabaseUnavailable(DatabaseError):
    """The database can't be reached now, or another task loads the same score file."""

    transient = True


class MailboxError(APScoresError):
    """The mailbox that receives College Board's notification e-mail could not be read."""


class MailboxRefused(MailboxError):
    """The mail server refused the login. Do not repeat it unchanged: wrong passwords lock mailboxes too."""


class MailboxUnavailable(MailboxError):
    """No usable answer from the mail server now: no connection, a time-out, a refused command."""

    transient = True
