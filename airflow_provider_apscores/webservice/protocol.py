"""The four calls, each as a pair ``build_x`` / ``read_x``: the only home of URLs, headers, JSON keys and quirks.

Everything here is pure: a request is built from values, an answer is read from a :class:`Reply`. What is marked
*documented* stands on College Board's public pages; *observed* was seen by institutions that run scripts against the
live service; *open* is unknown, and read with tolerance. ``docs/reference/webservice.md`` is the same for people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

from airflow_provider_apscores.errors import (
    CampusRefused,
    CredentialsRefused,
    InsecureAddress,
    RequestRefused,
    ServiceUnavailable,
    UnexpectedReply,
)
from airflow_provider_apscores.webservice import addresses
from airflow_provider_apscores.webservice import error_text as words
from airflow_provider_apscores.webservice.messages import (
    Credentials,
    FileOrder,
    GeneratedFile,
    Received,
    Reply,
    Request,
)

PRODUCTION_URL = addresses.PRODUCTION_URL

#: Documented and observed: on all four calls. Which of the two names carries the token is easily confused.
SERVICE = "X-CB-Catapult-Authentication-Token"
TOKEN = "X-CB-Catapult-Authorization-Token"  # noqa: S105
_SERVICE_VALUE = "CBLogin Web Service"
_TOKEN_AT_LOGIN = "CBLogin"  # noqa: S105

_ACCOUNT_ADVICE = (
    "Sign in to the AP Higher Education portal with this account and look for the known causes: the password has "
    "expired or was changed, multifactor authentication (MFA) is switched on, the site terms have not been accepted, "
    "or the role that comes with the institution's access code is missing."
)


# ---------------------------------------------------------------------------------------------------- 1 log in


def build_log_in(base_url: str, credentials: Credentials) -> Request:
    """Ask for a token. Documented: the password travels as Base64 of its UTF-8 bytes."""
    body = {"u": credentials.email, "p": credentials.encoded}
    return _post(base_url, "/webServiceAuth", _TOKEN_AT_LOGIN, body, "login", "logging in")


def read_log_in(reply: Reply, *, secrets: Collection[str] = ()) -> str:
    """Understand the answer to a login.

    Returns:
        The token. How long it lives is open.

    Raises:
        CredentialsRefused: College Board declined, in whatever words, or with 401 or 403.
        ServiceUnavailable: HTTP 5xx or 429. Transient.
        UnexpectedReply: The body is not JSON, or holds no token.
    """
    if reply.status in (401, 403):
        _refuse_login(reply, _message(reply), secrets)
    answer = _answer(reply, "logging in", secrets)
    if not _succeeded(answer):
        _refuse_login(reply, _text(answer.get("message")), secrets)
    token = answer.get("authToken")
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+( [\x21-\x7e]+)*", token):
        raise UnexpectedReply("College Board accepted the login and sent no usable token (authToken).")
    return token


def _refuse_login(reply: Reply, message: str, secrets: Collection[str]) -> NoReturn:
    raise CredentialsRefused(
        f"College Board refused the login ({_quoted(reply, message, secrets)}). {_ACCOUNT_ADVICE} "
        "The login was not tried again, since wrong passwords lock accounts."
    )


# --------------------------------------------------------------------------------------------------- 2 generate


def build_order(base_url: str, token: str, order: FileOrder) -> Request:
    """Ask College Board to generate a score file."""
    body = {"diCode": order.di_code, "format": order.file_format, "downloadType": order.download_type}
    return _post(base_url, "/fileGeneration", token, body, "order", f"ordering {order}")


def read_order(reply: Reply, order: FileOrder, *, secrets: Collection[str] = ()) -> GeneratedFile | None:
    """Understand the answer to an order for a score file.

    Returns:
        The file to fetch, or None when there is nothing to send (not an error: most days are like that).

    Raises:
        CampusRefused: College Board declined; its own words are in the message.
        CredentialsRefused: It declined, and its words are about the account.
        ServiceUnavailable: HTTP 5xx or 429, or the file is still being generated. Transient.
        UnexpectedReply: The body is not JSON, lacks a field the reference promises, or refuses the token.
        InsecureAddress: The file is offered at an address that is not https.

    Source: API References, "Generate file". That "nothing new" comes as ``success: false`` is observed.
    """
    message = _message(reply)
    if _says_nothing_new(reply):
        return None
    if reply.status in (401, 403):
        _refuse_order(reply, order, message, secrets)
    if (reason := still_generating(reply, order)) is not None:
        raise ServiceUnavailable(f"{reason}.")
    answer = _answer(reply, f"ordering {order}", secrets)
    if not _succeeded(answer):
        _raise_for_passing_trouble(reply, f"ordering {order}", message, secrets)
        _refuse_order(reply, order, message, secrets)
    download_id = answer.get("downloadId")
    # Observed: a number or a string.
    if isinstance(download_id, bool) or not isinstance(download_id, int | str) or not str(download_id).strip():
        raise UnexpectedReply(f"College Board generated {order} and named no downloadId.")
    url = addresses.check(_text(answer["url"]).strip(), f"{order} is offered")
    return GeneratedFile(order, str(download_id).strip(), _text(answer.get("fileName")), url, addresses.expiry(url))


def _says_nothing_new(reply: Reply) -> bool:
    # Observed with ``success: false``; words that clear are believed with any status, unless there is a file.
    answer = _json(reply) or {}
    return words.says_nothing_new(_text(answer.get("message"))) and not answer.get("url")


def still_generating(reply: Reply, order: FileOrder) -> str | None:
    """Why the file is not there yet, or None when the answer is about something else.

    Observed: the gateway answers 504 while a large file is being made, and an answer may come without a ``url``.
    """
    if reply.status == 504:
        return f"College Board is still generating the file for campus {order.di_code} (HTTP 504)"
    answer = _json(reply)
    if answer is None or _says_nothing_new(reply):
        return None
    if 200 <= reply.status < 300 and _succeeded(answer) and not _text(answer.get("url")).strip():
        return f"College Board is still generating the file for campus {order.di_code} (an answer without a URL)"
    return None


def _refuse_order(reply: Reply, order: FileOrder, message: str, secrets: Collection[str]) -> NoReturn:
    quoted = _quoted(reply, message, secrets)
    if not words.speaks_of_campus(message):
        _raise_for_account(reply, f"order {order}", message, secrets)
    raise CampusRefused(
        f"College Board refused to order {order} ({quoted}). Check that the DI code is right, and that this account "
        "has added the campus with its access code and can see it in the AP Higher Education portal."
    )


# --------------------------------------------------------------------------------------------------- 3 download


def build_download(token: str, generated: GeneratedFile) -> Request:
    """Fetch a generated file. Observed: the GET needs both X-CB headers, although the URL is signed."""
    url = addresses.check(generated.url, f"{generated.order} is offered")
    return Request("GET", url, _headers(token), None, "download", f"fetching {generated.order}")


def build_redirected_download(before: Request, reply: Reply) -> Request:
    """Follow a redirect of a download.

    The X-CB headers stay with the origin that they were meant for, and never come back once it was left.

    Raises:
        InsecureAddress: The new address is not https.
        UnexpectedReply: There is no new address.
    """
    location = reply.header("Location")
    if not location:
        raise UnexpectedReply(f"HTTP {reply.status} without a Location while {before.what}.")
    try:
        location = urljoin(before.url, location)
    except ValueError:
        location = ""
    url = addresses.check(location, f"{before.what} is redirected")
    if urlsplit(before.url).scheme == "https" and urlsplit(url).scheme != "https":
        raise InsecureAddress(f"{before.what} is redirected from https to an address that is not.")
    headers = before.headers if addresses.origin(url) == addresses.origin(before.url) else _ANYWHERE
    return Request("GET", url, headers, None, "download", before.what)


def is_redirect(reply: Reply) -> bool:
    """Whether the answer sends us elsewhere."""
    return reply.status in (301, 302, 303, 307, 308)


def read_download(reply: Reply, generated: GeneratedFile, *, secrets: Collection[str] = ()) -> Received | None:
    """Understand the answer to a download whose body, if it was a file, is in the sink.

    Returns:
        What was received, or None when the URL is no longer good and the file must be ordered afresh.

    Raises:
        ServiceUnavailable: HTTP 5xx or 429. Transient.
        UnexpectedReply: A page, an XML document or JSON instead of a file.
    """
    # Observed: 403 with an XML body once the URL has expired. S3 says 400 ExpiredToken when the key that signed it
    # has expired, and 404 or 410 when the object was cleared away.
    if reply.status in (401, 403, 404, 410) or (reply.status == 400 and b"expired" in reply.body.lower()):
        return None
    if reply.received is not None:
        return reply.received
    _raise_for_status(reply, f"fetching {generated.order}", _message(reply), secrets)
    raise UnexpectedReply(
        f"Not a score file but {_kind_of_body(reply)} came while fetching {generated.order} (HTTP {reply.status})."
    )


# ----------------------------------------------------------------------------------------------------- 4 record


def build_record(base_url: str, token: str, download_id: str, file_format: str) -> Request:
    """Tell College Board that a file has arrived: the commit. What was recorded never comes as ``new`` again."""
    body = {"downloadId": str(download_id), "format": file_format}  # observed: a string, also when it came as a number
    return _post(base_url, "/webServiceDownloaded", token, body, "record", f"recording download {download_id}")


def read_record(reply: Reply, download_id: str, *, secrets: Collection[str] = ()) -> None:
    """Understand the answer to a record; None means that the download is recorded.

    Raises:
        RequestRefused: College Board declined. That it is recorded already counts as done: the answer to an earlier
            try may have been lost.
        CredentialsRefused: It declined, and its words are about the account.
        ServiceUnavailable: HTTP 5xx or 429. Transient.
        UnexpectedReply: The body is not JSON, or refuses the token.
    """
    message = _message(reply)
    if reply.status < 500 and words.says_already_recorded(message):
        return
    if reply.status not in (401, 403) and _succeeded(_answer(reply, f"recording download {download_id}", secrets)):
        return
    quoted = _quoted(reply, message, secrets)
    _raise_for_passing_trouble(reply, f"recording download {download_id}", message, secrets)
    _raise_for_account(reply, f"record download {download_id}", message, secrets)
    raise RequestRefused(
        f"College Board refused to record download {download_id} ({quoted}). The reports in it stay new: they come "
        "again with the next order."
    )


# ------------------------------------------------------------------------------------------ what all four share

#: Documented: on all four calls.
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
#: So that the announced length is the length of the file.
_PLAIN = {"Accept-Encoding": "identity"}
_ANYWHERE = {"Accept": "*/*", **_PLAIN}


def _headers(token: str) -> dict[str, str]:
    return {SERVICE: _SERVICE_VALUE, TOKEN: token, **_JSON, **_PLAIN}


def _post(base_url: str, path: str, token: str, body: dict[str, str], kind: Any, what: str) -> Request:
    return Request("POST", base_url + path, _headers(token), json.dumps(body).encode(), kind, what)


def _raise_for_account(reply: Reply, call: str, message: str, secrets: Collection[str]) -> None:
    """What a refusal means once a new login did not help, if it is about the login at all."""
    quoted = _quoted(reply, message, secrets)
    if words.speaks_of_account(message):
        raise CredentialsRefused(
            f"College Board refused to {call}: the account is at fault ({quoted}). {_ACCOUNT_ADVICE}"
        )
    if reply.status == 401 or words.speaks_of_token(message):
        # The login itself was accepted a moment ago, so trying again later locks nothing.
        raise UnexpectedReply(
            f"College Board accepted the login, and then refused its token ({quoted}) when asked to {call}. Should it "
            f"stay so, the account may be at fault. {_ACCOUNT_ADVICE}"
        )


def _raise_for_passing_trouble(reply: Reply, what: str, message: str, secrets: Collection[str]) -> None:
    # Not at login: there a refusal in whatever words is final, since wrong passwords lock accounts.
    if words.speaks_of_passing_trouble(message) and reply.status not in (401, 403):
        raise ServiceUnavailable(f"College Board could not answer while {what} ({_quoted(reply, message, secrets)}).")


def token_lost(reply: Reply, kind: str) -> bool:
    """Whether a new login may help.

    Open: how long a token lives, and how its end is told. 401 always counts; 403 on a call with a JSON body, unless
    its words are about the account or the campus; and ``success: false`` in words that may be about a token.
    """
    message = _message(reply)
    if words.speaks_of_account(message):
        return False
    if reply.status == 401 or words.speaks_of_token(message) or words.may_speak_of_token(message):
        return True
    return reply.status == 403 and kind != "download" and not words.speaks_of_campus(message)


def is_passing(reply: Reply, kind: str) -> bool:
    """Whether the same request may soon be answered otherwise: 5xx, 429, a page instead of an answer."""
    return _is_busy(reply) or (200 <= reply.status < 300 and not token_lost(reply, kind))


def _is_busy(reply: Reply) -> bool:
    return reply.status >= 500 or reply.status in (408, 425, 429)


def retry_after(reply: Reply, now: datetime) -> float | None:
    """Seconds that a 429 or 503 asks to wait, or None. Both forms of the header: seconds, or a date."""
    value = reply.header("Retry-After").strip()
    if reply.status not in (429, 503, 504) or not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        # The service's own clock, where it tells the time, is the one that its date was made with.
        said = reply.header("Date")
        since = parsedate_to_datetime(said) if said else now
        return max(0.0, (_utc(until) - _utc(since)).total_seconds())
    except (ValueError, TypeError):
        return None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _answer(reply: Reply, what: str, secrets: Collection[str]) -> dict[str, Any]:
    """The JSON object in an answer, whose ``success`` is known to be there."""
    answer = _json(reply)
    _raise_for_status(reply, what, _message(reply), secrets)
    if answer is not None and "success" in answer:
        return answer
    came = f"Not JSON but {_kind_of_body(reply)}" if answer is None else "An answer that does not say success"
    advice = " The base URL may be wrong." if reply.status >= 400 else ""
    raise UnexpectedReply(f"{came} came while {what} ({_quoted(reply, _message(reply), secrets)}).{advice}")


def _raise_for_status(reply: Reply, what: str, message: str, secrets: Collection[str]) -> None:
    if _is_busy(reply):
        raise ServiceUnavailable(f"College Board did not answer while {what} ({_quoted(reply, message, secrets)}).")
    if 300 <= reply.status < 400:
        # A redirected POST would carry the password or the token to an address that nobody configured.
        raise UnexpectedReply(
            f"HTTP {reply.status}, a redirect, came while {what}. It is not followed, since it would carry secrets "
            "elsewhere. The base URL may be wrong, or the service is in maintenance."
        )


def _json(reply: Reply) -> dict[str, Any] | None:
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _succeeded(answer: dict[str, Any]) -> bool:
    # Documented as a boolean; a text is tolerated.
    success = answer.get("success")
    return success is True or (isinstance(success, str) and success.strip().lower() == "true")


def _message(reply: Reply) -> str:
    """What the service says, unless it says that all is well."""
    answer = _json(reply)
    if answer is None or (reply.status < 400 and _succeeded(answer)):
        return ""
    return _text(answer.get("message"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _quoted(reply: Reply, message: str, secrets: Collection[str]) -> str:
    said = words.scrub(message, secrets)
    return f'HTTP {reply.status}: "{said}"' if said else f"HTTP {reply.status}"


def _kind_of_body(reply: Reply) -> str:
    start = reply.body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "an empty body"
    if start.startswith(b"<?xml"):
        return "an XML document"
    if start.startswith(b"<") or "html" in reply.header("Content-Type").lower():
        return "an HTML page"
    return "a JSON answer" if start.startswith(b"{") else "something else"
