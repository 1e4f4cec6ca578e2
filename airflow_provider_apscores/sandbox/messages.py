"""Requests and replies, as they pass between the sockets and the application."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        method: In capitals.
        target: Path and query.
        headers: Names are case-insensitive.
        body: Empty if there is none.
    """

    method: str
    target: str
    headers: Message
    body: bytes = b""

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return urlsplit(self.target).path

    def json(self) -> dict[str, Any] | None:
        """Return the body as a JSON object, or None if it is not one."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


@dataclass(slots=True)
class Reply:
    """A reply, and how to damage it when it is sent.

    Attributes:
        status: HTTP status.
        fields: A JSON body, or None when *body* or *file* holds the body.
        body: As bytes.
        content_type: Of *body* and *file*.
        file: A file to send as the body, or None.
        headers: More headers.
        success: Logged with the call.
        download_id: The generation that the call is about, or None.
        sent: Share of the body that is sent.
        announced: Share of the body's length that Content-Length states; None for no such header.
        delay: Seconds before the reply starts.
        stall: Seconds to pause in the middle of the body.
        ending: ``drop`` or ``reset`` the connection afterwards; empty to keep it open.
        silent: True to send nothing before *ending*.
        on_complete: Called just before the last byte of an undamaged file is sent.
    """

    status: int
    fields: dict[str, Any] | None = None
    body: bytes = b""
    content_type: str = "application/json"
    file: Path | None = None
    headers: dict[str, str] = field(default_factory=dict)
    success: bool = False
    download_id: str | None = None
    sent: float = 1.0
    announced: float | None = 1.0
    delay: float = 0.0
    stall: float = 0.0
    ending: str = ""
    silent: bool = False
    on_complete: Callable[[], None] | None = None

    def content(self) -> bytes:
        """Return the body of a reply without a file."""
        return self.body if self.fields is None else json.dumps(self.fields).encode()


class Application(Protocol):
    """Answers requests."""

    def answer(self, request: Request) -> Reply:
        """Answer a request. Many threads call this at once."""


def json_reply(success: bool, message: str, *, status: int = 200, **fields: Any) -> Reply:
    """Return a JSON reply of the documented shape."""
    return Reply(status, {"success": success, "message": message, **fields}, success=success)


def not_allowed(*methods: str) -> Reply:
    """Return a 405 reply that lists the allowed methods."""
    return Reply(405, {"message": "Method Not Allowed"}, headers={"Allow": ", ".join(methods)})


def access_denied(message: str) -> Reply:
    """Return the XML 403 of the file store."""
    text = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Reply(403, body=body, content_type="application/xml")
