"""What a session and its driver say to each other, and how a file is transferred within it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TypeVar

from airflow_provider_apscores.errors import TransferBroken, UnexpectedReply
from airflow_provider_apscores.webservice import protocol
from airflow_provider_apscores.webservice.addresses import FileAddresses
from airflow_provider_apscores.webservice.messages import Reply, Request, Wait
from airflow_provider_apscores.webservice.secret import Secret

T = TypeVar("T")
#: What a driver runs. It is sent None after a :class:`Wait`, and when another call has handled a login.
Conversation = Generator[Request | Wait, Reply | None, T]

REDIRECTS = 5


class LoginHandledElsewhere(Exception):
    """An internal signal: another call has logged in, or failed to."""


def send(request: Request) -> Conversation[Reply]:
    """One request, one reply."""
    reply = yield request
    if reply is None:
        raise LoginHandledElsewhere
    return reply


def transfer(request: Request, files: FileAddresses, on_url: Callable[[Secret], None]) -> Conversation[Reply]:
    """A download. Where the service does not mark the end of the file, two transfers must agree.

    Such a body ends with its connection, so one that was cut between two records looks whole. A network that cuts
    connections does not cut two of them at the same byte.

    Args:
        request: The download.
        files: Where files may be.
        on_url: Called with the address of each redirect.

    Raises:
        TransferBroken: Two transfers differ.
        UnexpectedReply: There are too many redirects.
        InsecureAddress: A redirect leads to an address that is not allowed.
    """
    reply = yield from _follow(request, files, on_url)
    if (first := reply.received) is None or first.framed:
        return reply
    reply = yield from _follow(replace(request, discard=True), files, on_url)
    if (second := reply.received) is not None and second.sha256 != first.sha256:
        raise TransferBroken(
            f"Two transfers differ ({first.bytes} and {second.bytes} bytes) while {request.what}. The service "
            "announced neither a length nor chunks, so at least one of them was cut; the file was not recorded."
        )
    return reply


def _follow(request: Request, files: FileAddresses, on_url: Callable[[Secret], None]) -> Conversation[Reply]:
    for _ in range(REDIRECTS + 1):
        reply = yield from send(request)
        if not protocol.is_redirect(reply):
            return reply
        request = replace(protocol.build_redirected_download(request, reply, files), discard=request.discard)
        on_url(Secret(request.url))
    raise UnexpectedReply(f"More than {REDIRECTS} redirects while {request.what}.")
