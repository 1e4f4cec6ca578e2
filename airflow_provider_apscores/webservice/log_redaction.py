"""Filters that keep secrets out of the log messages of httpx.

httpx logs each URL at INFO, with its signature, and httpcore the headers of each answer at DEBUG, where a redirect has
another signed URL. The filters on their loggers remove both, and change only messages about this package's requests.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Whether the running code is inside one of this package's requests.
_active: ContextVar[bool] = ContextVar("_active", default=False)


@contextmanager
def redact_logs() -> Iterator[None]:
    """Redact what httpx logs in this thread or task until the block ends."""
    before = _active.set(True)
    try:
        yield
    finally:
        _active.reset(before)


def _redact(record: logging.LogRecord) -> bool:
    """Remove headers, the paths of downloads and the queries of URLs from a message. Never drops a message."""
    if _active.get():
        message = re.sub(r"\[\(b['\"].*", "[headers not shown]", record.getMessage(), flags=re.S)
        message = re.sub(r"(GET \w+://[^/\s]+)\S*", r"\1/…", message)
        record.msg, record.args = re.sub(r"\?[^\s\"']+", "?…", message), ()
    return True


def install() -> None:
    """Add the filters. Harmless to repeat."""
    parts = ("connection", "http11", "http2", "proxy", "socks")
    for name in ("httpx", *(f"httpcore.{part}" for part in parts)):
        logging.getLogger(name).addFilter(_redact)  # adding it again changes nothing
