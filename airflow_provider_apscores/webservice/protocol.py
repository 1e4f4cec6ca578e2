"""The four calls, each as a pair ``build_x`` / ``read_x``: the only home of URLs, headers, JSON keys and quirks.

Everything here is pure: a request is built from values, a reply is read into a value or an error. *Documented* means
that College Board's public pages say so, *observed* that institutions with scripts against the live service have seen
it, *open* that it is unknown and read with tolerance. ``docs/reference/webservice.md`` says the same for users.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from airflow_provider_apscores.errors import (
    CampusRefused,
    CredentialsRefused,
    InsecureAddress,
    RequestRefused,
    ServiceUnavailable,
    UnexpectedReply,
)
from airflow_provider_apscores.webservice import addresses, error_text
from airflow_provider_apscores.webservice.addresses import FileAddresses
from airflow_provider_apscores.webservice.answer import Answer
from airflow_provider_apscores.webservice.messages import (
    DOWNLOAD_ID,
    Credentials,
    FileOrder,
    GeneratedFile,
    Kind,
    Received,
    Reply,
    Request,
)
from airflow_provider_apscores.webservice.secret import Secret

#: Documented and observed: on all four calls. Which of the two names carries the token is easily confused.
SERVICE = "X-CB-Catapult-Authentication-Token"
TOKEN = "X-CB-Catapult-Authorization-Token"  # noqa: S105
_SERVICE_VALUE = "CBLogin Web Service"
_TOKEN_AT_LOGIN = Secret("CBLogin")
#: What a header can carry: printable ASCII, with single blanks inside.
_TOKEN_FORM = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)*")

_ACCOUNT_ADVICE = (
    "Sign in to the AP Higher Education portal with this account and check the known causes: the password has "
    "expired or was changed; multifactor authentication (MFA) is switched on; the site terms have not been accepted; "
    "the role that comes with the institution's access code is missing."
)


# ---------------------------------------------------------------------------------------------------- 1 log in


def build_log_in(base_url: str, credentials: Credentials) -> Request:
    """Ask for a token. Documented: the password travels as Base64 of its UTF-8 bytes."""
    body: dict[str, str | Secret] = {"u": credentials.email, "p": credentials.encoded}
    return _post(base_url, "/webServiceAuth", _TOKEN_AT_LOGIN, body, "login", "logging in")


def read_log_in(reply: Reply) -> Secret:
    """Understand the answer to a login.

    Returns:
        The token. How long it lives is open.

    Raises:
        CredentialsRefused: Anything but a success or a temporary failure. Wrong passwords lock accounts, and how a
            refusal looks is open: so an answer that is not understood counts as one.
        ServiceUnavailable: HTTP 5xx, 408, 425 or 429, unless the words say that the account is locked, disabled or
            expired, or the password wrong. Transient.
        UnexpectedReply: It succeeded and holds no token. Transient.
    """
    answer = Answer(reply)
    succeeded = 200 <= reply.status < 300 and answer.succeeded
    if succeeded and _TOKEN_FORM.fullmatch(answer.secret("authToken").reveal()):
        return answer.secret("authToken")
    if not error_text.says_login_refused(answer.all_words):
        if succeeded:
            raise UnexpectedReply("College Board accepted the login and sent no usable token (authToken).")
        if answer.is_busy:
            raise ServiceUnavailable(
                f"College Board could not answer the login ({answer.quoted}).", status=reply.status
            )
    if "success" in answer or reply.status in (401, 403):
        came = ""
    else:
        came = f"Instead of the documented answer came {answer.body_kind}: check the base URL and the proxy too. "
    raise CredentialsRefused(
        f"College Board did not accept the login ({answer.quoted}). {came}{_ACCOUNT_ADVICE} The login is not repeated, "
        "since wrong passwords lock accounts."
    )


# --------------------------------------------------------------------------------------------------- 2 generate


def build_order(base_url: str, token: Secret, order: FileOrder) -> Request:
    """Ask College Board to generate a score file."""
    body = {"diCode": order.di_code, "format": order.file_format, "downloadType": order.download_type}
    return _post(base_url, "/fileGeneration", token, body, "order", f"ordering {order}")


def read_order(reply: Reply, order: FileOrder, files: FileAddresses) -> GeneratedFile | None:
    """Understand the answer to an order for a score file.

    Args:
        reply: The answer.
        order: What was ordered.
        files: Where files may be.

    Returns:
        The file to fetch, or None when there is nothing to send (not an error: most days are like that).

    Raises:
        CampusRefused: College Board declined; the known words of its message are quoted.
        CredentialsRefused: It declined, and its words are about the account.
        ServiceUnavailable: HTTP 5xx or 429, or the file is still being generated. Transient.
        UnexpectedReply: The body is not JSON, lacks a field the reference promises, or refuses the token.
        InsecureAddress: The file is offered at an address that is not allowed.

    Source: API References, "Generate file". That "nothing new" comes as ``success: false`` is observed.
    """
    answer = Answer(reply)
    if _says_nothing_new(answer):
        return None
    if reply.status in (401, 403):
        _refuse_order(answer, order)
    if (reason := still_generating(reply, order)) is not None:
        raise ServiceUnavailable(f"{reason}.", status=reply.status)
    _check_documented(answer, f"ordering {order}")
    if not answer.succeeded:
        _raise_if_temporary(answer, f"ordering {order}")
        _refuse_order(answer, order)
    download_id = answer.text("downloadId")  # observed: a number or a string
    if not DOWNLOAD_ID.fullmatch(download_id):
        raise UnexpectedReply(
            f"College Board generated {order} without a usable downloadId: 1 to 128 letters, digits, '.', '_' or '-'."
        )
    url = files.check(answer.secret("url"), f"{order} is offered")
    return GeneratedFile(order, download_id, answer.text("fileName"), url, addresses.expiry(url))


def _says_nothing_new(answer: Answer) -> bool:
    # Observed with ``success: false``. Where an answer also says that something is wrong, that counts.
    message = answer.text("message")
    failed = answer.is_busy or answer.status in (401, 403) or error_text.mentions_account(message)
    return error_text.says_nothing_new(message) and not failed and not answer.text("url")


def still_generating(reply: Reply, order: FileOrder) -> str | None:
    """Why the file is not there yet, or None when the answer is about something else.

    Observed: the gateway answers 504 while a large file is being generated, and an answer may come without a ``url``.
    """
    if reply.status == 504:
        return f"College Board is still generating the file for campus {order.di_code} (HTTP 504)"
    answer = Answer(reply)
    if 200 <= reply.status < 300 and answer.succeeded and not answer.secret("url") and not _says_nothing_new(answer):
        return f"College Board is still generating the file for campus {order.di_code} (an answer without a URL)"
    return None


def _refuse_order(answer: Answer, order: FileOrder) -> NoReturn:
    if not error_text.mentions_campus(answer.message):
        _raise_for_account(answer, f"order {order}")
    raise CampusRefused(
        f"College Board refused to order {order} ({answer.quoted}). Check that the DI code is right, and that this "
        "account has added the campus with its access code and can see it in the AP Higher Education portal."
    )


# --------------------------------------------------------------------------------------------------- 3 download


def build_download(token: Secret, generated: GeneratedFile, files: FileAddresses) -> Request:
    """Fetch a generated file. Observed: the GET needs both X-CB headers, although the URL is signed.

    Raises:
        InsecureAddress: The file is at an address that is not allowed.
        UnexpectedReply: Its address is none.
    """
    url = files.check(generated.url, f"{generated.order} is offered")
    return Request("GET", url.reveal(), _headers(token), None, "download", f"fetching {generated.order}")


def build_redirected_download(before: Request, reply: Reply, files: FileAddresses) -> Request:
    """Follow a redirect of a download.

    The X-CB headers stay with the origin that they were meant for, and do not come back once it was left.

    Raises:
        InsecureAddress: The new address is not allowed.
        UnexpectedReply: There is no new address.
    """
    if not reply.header("Location"):
        raise UnexpectedReply(f"HTTP {reply.status} without a Location while {before.what}.")
    url = files.check(_redirect_target(before, reply), f"{before.what} is redirected")
    if urlsplit(before.url).scheme == "https" and urlsplit(url.reveal()).scheme != "https":
        raise InsecureAddress(f"{before.what} is redirected from https to an address that is not.")
    stays = addresses.origin(url.reveal()) == addresses.origin(before.url)
    return Request("GET", url.reveal(), before.headers if stays else _OTHER_ORIGIN, None, "download", before.what)


def _redirect_target(before: Request, reply: Reply) -> Secret:
    try:
        return Secret(urljoin(before.url, reply.header("Location")))
    except ValueError:
        return Secret("")


def is_redirect(reply: Reply) -> bool:
    """Whether the answer points to another address."""
    return reply.status in (301, 302, 303, 307, 308)


def read_download(reply: Reply, generated: GeneratedFile) -> Received | None:
    """Understand the answer to a download whose body, if it was a file, is in the sink.

    Returns:
        What was received, or None when the URL has expired and the file must be ordered again.

    Raises:
        ServiceUnavailable: HTTP 5xx or 429. Transient.
        UnexpectedReply: A page, an XML document or JSON instead of a file.
    """
    # Observed: 403 with an XML body once the URL has expired. S3 says 400 ExpiredToken when the key that signed it
    # has expired, and 404 or 410 when the object was removed.
    if reply.status in (401, 403, 404, 410) or (reply.status == 400 and b"expired" in reply.body.lower()):
        return None
    if reply.received is not None:
        return reply.received
    answer = Answer(reply)
    _raise_for_status(answer, f"fetching {generated.order}")
    raise UnexpectedReply(
        f"Instead of a score file came {answer.body_kind} while fetching {generated.order} (HTTP {reply.status})."
    )


# ----------------------------------------------------------------------------------------------------- 4 record


def build_record(base_url: str, token: Secret, download_id: str, file_format: str) -> Request:
    """Tell College Board that a file has arrived: the commit. What was recorded never comes as ``new`` again."""
    body = {"downloadId": str(download_id), "format": file_format}  # observed: a string, also when it came as a number
    return _post(base_url, "/webServiceDownloaded", token, body, "record", f"recording download {download_id}")


def read_record(reply: Reply, download_id: str) -> None:
    """Understand the answer to a record; None means that the download is recorded.

    Raises:
        RequestRefused: College Board declined. "Already recorded" counts as success: the answer to an earlier try may
            have been lost.
        CredentialsRefused: It declined, and its words are about the account.
        ServiceUnavailable: HTTP 5xx or 429. Transient.
        UnexpectedReply: The body is not JSON, or refuses the token.
    """
    answer = Answer(reply)
    if reply.status < 500 and error_text.says_already_recorded(answer.message):
        return
    if reply.status not in (401, 403):
        _check_documented(answer, f"recording download {download_id}")
        if answer.succeeded:
            return
    _raise_if_temporary(answer, f"recording download {download_id}")
    _raise_for_account(answer, f"record download {download_id}")
    raise RequestRefused(
        f"College Board refused to record download {download_id} ({answer.quoted}). The reports in it stay new: they "
        "come again with the next order."
    )


# ------------------------------------------------------------------------------------------ what all four share

#: Documented: on all four calls.
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
#: So that the announced length is the length of the file.
_PLAIN = {"Accept-Encoding": "identity"}
_OTHER_ORIGIN = {"Accept": "*/*", **_PLAIN}


def _headers(token: Secret) -> dict[str, str]:
    return {SERVICE: _SERVICE_VALUE, TOKEN: token.reveal(), **_JSON, **_PLAIN}


def _post(base_url: str, path: str, token: Secret, body: Mapping[str, str | Secret], kind: Kind, what: str) -> Request:
    # No variable for the encoded body: it holds secrets.
    return Request(
        "POST", base_url + path, _headers(token), json.dumps(body, default=Secret.reveal).encode(), kind, what
    )


def _raise_for_account(answer: Answer, call: str) -> None:
    """Raise what a refusal means after a new login did not help, if it is about the login at all."""
    if error_text.mentions_account(answer.message):
        raise CredentialsRefused(
            f"College Board refused to {call} because of the account ({answer.quoted}). {_ACCOUNT_ADVICE}"
        )
    if answer.status == 401 or error_text.mentions_token(answer.message):
        # The login itself was accepted a moment ago, so trying again later locks nothing.
        raise UnexpectedReply(
            f"College Board accepted the login, and then refused its token ({answer.quoted}) when asked to {call}. If "
            f"that stays so, check the account. {_ACCOUNT_ADVICE}"
        )


def _raise_if_temporary(answer: Answer, what: str) -> None:
    if error_text.says_temporary(answer.message) and answer.status not in (401, 403):
        raise ServiceUnavailable(
            f"College Board could not answer while {what} ({answer.quoted}).", status=answer.status
        )


def _check_documented(answer: Answer, what: str) -> None:
    """Raise unless the answer is a JSON object that says whether the call succeeded."""
    _raise_for_status(answer, what)
    if "success" not in answer:
        came = "a JSON answer without success" if answer.is_object else answer.body_kind
        advice = " Check the base URL." if answer.status >= 400 else ""
        raise UnexpectedReply(f"Instead of the documented answer came {came} while {what} ({answer.quoted}).{advice}")


def _raise_for_status(answer: Answer, what: str) -> None:
    if answer.is_busy:
        raise ServiceUnavailable(f"College Board did not answer while {what} ({answer.quoted}).", status=answer.status)
    if 300 <= answer.status < 400:
        # A redirected POST would carry the token to an address that is not configured.
        raise UnexpectedReply(
            f"HTTP {answer.status}, a redirect, came while {what}. It is not followed, since it would carry the token "
            "to another address. Check the base URL; the service may be in maintenance."
        )
