"""What a fault does to a reply: it replaces the reply, or it damages the reply of a call that took effect."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from airflow_provider_apscores.sandbox.faults import REFUSALS, Fault
from airflow_provider_apscores.sandbox.messages import Reply, access_denied, json_reply

_PAGE = b"""<!DOCTYPE html>
<html><head><title>Scheduled maintenance</title></head>
<body><h1>We'll be back soon</h1><p>This site is down for scheduled maintenance.</p></body></html>
"""


def replacement_reply(kind: str, fault: Fault, redirect_to: Callable[[], str]) -> Reply:
    """Return the reply of a fault that replaces the call; the call has no effect."""
    match fault.name:
        case "status":
            return _bare_status(kind, int(fault.number))
        case "rate-limit":
            return Reply(429, {"message": "Too Many Requests"}, headers={"Retry-After": f"{fault.number:g}"})
        case "maintenance":
            after = {"Retry-After": f"{fault.number:g}"}
            return Reply(503, body=_PAGE, content_type="text/html; charset=utf-8", headers=after)
        case "html":
            return Reply(200, body=_PAGE, content_type="text/html; charset=utf-8")
        case "bad-json":
            return Reply(200, body=b'{"success": true, "message": "')
        case "not-an-object":
            return Reply(200, body=b'["success", true]')
        case "refuse":
            return json_reply(False, REFUSALS.get(fault.argument, fault.argument))
        case "redirect":
            return Reply(int(fault.number), headers={"Location": redirect_to()})
        case "drop" | "reset":
            return Reply(0, silent=True, ending=fault.name)
        case _:
            return Reply(200)


def _bare_status(kind: str, status: int) -> Reply:
    if kind == "download" and status == HTTPStatus.FORBIDDEN:
        return access_denied("Access denied")
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return Reply(504, {"message": "Endpoint request timed out"})
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    return Reply(status, {"message": phrase})


def damaged_reply(reply: Reply, fault: Fault) -> Reply:
    """Damage the reply of a call that took effect."""
    match fault.name:
        case "slow":
            reply.delay = fault.number
        case "lost-reply" if fault.argument.isdigit():
            answered = int(fault.argument)
            reply = Reply(answered, {"message": "Lost"}, success=reply.success, download_id=reply.download_id)
        case "lost-reply":
            reply.silent, reply.ending, reply.on_complete = True, fault.argument, None
        case "missing" | "missing-url" | "null-url" | "evil-name":
            _change_fields(reply, fault)
        case "truncate" | "break":
            reply.sent, reply.ending, reply.on_complete = (
                fault.number,
                "reset" if fault.name == "break" else "drop",
                None,
            )
        case "stall":
            reply.stall = fault.number
        case "short":
            reply.sent = reply.announced = fault.number
            reply.on_complete = None
        case "no-length":
            reply.sent, reply.announced, reply.ending = fault.number, None, "drop"
            if fault.number < 1:
                reply.on_complete = None
        case "overrun":
            reply.announced, reply.ending, reply.on_complete = fault.number, "drop", None
    return reply


def _change_fields(reply: Reply, fault: Fault) -> None:
    """Change the fields of a successful reply."""
    if reply.fields is None or not reply.success:
        return
    match fault.name:
        case "missing":
            reply.fields.pop(fault.argument, None)
        case "missing-url":
            reply.fields.pop("url", None)
        case "null-url":
            reply.fields["url"] = None
        case "evil-name":
            reply.fields["fileName"] = fault.argument
