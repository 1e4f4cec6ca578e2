"""What a reply contains, before any call gives it a meaning: JSON, a page, or nothing; the time it asks to wait."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow_provider_apscores.webservice import error_text
from airflow_provider_apscores.webservice.messages import Reply
from airflow_provider_apscores.webservice.secret import Secret

#: Longest wait that a service may ask for, in seconds.
LONGEST_RETRY_AFTER = 86_400.0
#: Bytes of a text body that are searched for words.
_TEXT = 2048


class Answer:
    """The body of a reply, parsed once. Its ``repr`` shows the status only, since a body may repeat a secret.

    Args:
        reply: What came.
    """

    __slots__ = ("_json", "_reply", "status")

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self._reply = reply
        try:
            self._json: Any = json.loads(reply.body)
        except (ValueError, RecursionError):
            self._json = None

    def __repr__(self) -> str:
        return f"Answer(HTTP {self.status})"

    @property
    def is_object(self) -> bool:
        """Whether the body is a JSON object, as the reference says."""
        return isinstance(self._json, dict)

    def __contains__(self, key: str) -> bool:
        return self.is_object and key in self._json

    def text(self, key: str) -> str:
        """A text or an integer as text; empty when it is missing or null; NUL, which nothing accepts, otherwise."""
        value = self._json.get(key) if self.is_object else None
        if value is None or isinstance(value, str):
            return value or ""
        return str(value) if type(value) is int else "\0"

    def secret(self, key: str) -> Secret:
        """The same as a secret, without blanks at its ends."""
        return Secret(self.text(key).strip())

    @property
    def succeeded(self) -> bool:
        """``success: true``. Documented as a boolean; a text is accepted."""
        return self.is_object and str(self._json.get("success")).strip().lower() == "true"

    @property
    def message(self) -> str:
        """The service's ``message``; empty when it says that the call succeeded."""
        return "" if self.status < 400 and self.succeeded else self.text("message")

    @property
    def all_words(self) -> str:
        """Every text in the JSON, or a plain text body. Empty for pages, whose words are about anything."""
        if self._json is not None:
            return "\n".join(_texts(self._json))
        return "" if self.is_markup else self._reply.body[:_TEXT].decode("utf-8", "replace")

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON of any kind."""
        return self._json is not None or self._start[:1] in (b"{", b"[")

    @property
    def is_markup(self) -> bool:
        """Whether the body is HTML or XML."""
        return self._start.startswith(b"<") or "html" in self._reply.header("Content-Type").lower()

    @property
    def body_kind(self) -> str:
        """What came, in words."""
        if not self._start:
            return "an empty body"
        if self._start.startswith(b"<?xml"):
            return "an XML document"
        if self.is_markup:
            return "an HTML page"
        return "a JSON answer" if self._start.startswith(b"{") else "something else"

    @property
    def quoted(self) -> str:
        """The status and the known words of the answer, for errors: ``HTTP 200: "Access denied"``."""
        known = error_text.excerpt(self.message or ("" if self.succeeded else self.all_words))
        return f'HTTP {self.status}: "{known}"' if known else f"HTTP {self.status}"

    @property
    def is_busy(self) -> bool:
        """Whether the status reports a temporary failure: 5xx, 408, 425, 429."""
        return self.status >= 500 or self.status in (408, 425, 429)

    @property
    def _start(self) -> bytes:
        return self._reply.body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()


def _texts(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict | list):
            left.extend(reversed(each.values() if isinstance(each, dict) else each))


def retry_after(reply: Reply, now: datetime) -> float | None:
    """Seconds that a 429, 503 or 504 asks to wait, at most a day; None when it does not say.

    The header ``Retry-After`` holds seconds or a date. A date is compared with the service's own clock where the
    answer has a ``Date``, otherwise with *now*.
    """
    value = reply.header("Retry-After").strip()
    if reply.status not in (429, 503, 504) or not value:
        return None
    if value.isascii() and value.isdecimal():
        return min(float(value), LONGEST_RETRY_AFTER)
    until = _http_date(value)
    if until is None:
        return None
    since = _http_date(reply.header("Date")) or now
    return min(max(0.0, (until - since).total_seconds()), LONGEST_RETRY_AFTER)


def _http_date(value: str) -> datetime | None:
    """A date such as ``Thu, 01 Jan 2026 00:01:00 GMT``, the form that RFC 9110 tells servers to send."""
    import pendulum

    found = re.fullmatch(r"[A-Z][a-z]{2}, ([0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8}) GMT", value.strip())
    try:
        return pendulum.from_format(found[1], "DD MMM YYYY HH:mm:ss") if found else None
    except ValueError:
        return None
