"""Keeping secrets out of what httpx logs.

httpx logs each URL at INFO, signatures and all, and httpcore the headers of each answer at DEBUG, where a redirect has
another signed URL. Filters on their loggers take that out, and touch only what belongs to our own exchanges.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Whether the code that runs now is in one of our exchanges.
_in_exchange: ContextVar[bool] = ContextVar("_in_exchange", default=False)


@contextmanager
def our_exchange() -> Iterator[None]:
    """While this lasts, what httpx logs in this thread or task is ours."""
    before = _in_exchange.set(True)
    try:
        yield
    finally:
        _in_exchange.reset(before)


def _hush(record: logging.LogRecord) -> bool:
    """Take secrets out of what httpx logs about our exchanges: whole URLs at INFO, answers' headers at DEBUG."""
    if _in_exchange.get():
        said = re.sub(r"\[\(b['\"].*", "[headers not shown]", record.getMessage(), flags=re.S)
        said = re.sub(r"(GET \w+://[^/\s]+)\S*", r"\1/…", said)
        record.msg, record.args = re.sub(r"\?[^\s\"']+", "?…", said), ()
    return True


def install() -> None:
    """Add the filters; harmless to repeat."""
    parts = ("connection", "http11", "http2", "proxy", "socks")
    for name in ("httpx", *(f"httpcore.{part}" for part in parts)):
        logging.getLogger(name).addFilter(_hush)  # adding it again changes nothing
