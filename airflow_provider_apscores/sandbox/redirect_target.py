"""The target of redirects: another origin, which logs the secrets that clients send to it."""

from __future__ import annotations

from airflow_provider_apscores.sandbox.ledger import Ledger
from airflow_provider_apscores.sandbox.messages import Reply, Request
from airflow_provider_apscores.sandbox.service import WebService

_SECRET_HEADERS = ("X-CB-Catapult-Authentication-Token", "X-CB-Catapult-Authorization-Token", "Authorization", "Cookie")


class RedirectTarget:
    """Answers on another port, which is another origin.

    It serves the files, as a store behind a redirect would. It logs each secret header or field that a client sends as
    a leak.
    """

    def __init__(self, service: WebService, ledger: Ledger) -> None:
        """Serve the files of *service*, and log leaks in *ledger*."""
        self._service = service
        self._ledger = ledger

    def answer(self, request: Request) -> Reply:
        """Answer a request that followed a redirect."""
        for name in _SECRET_HEADERS:
            if name in request.headers:
                self._ledger.add_leak(name)
        if "p" in (request.json() or {}):
            self._ledger.add_leak("password")
        if request.method == "GET" and request.path.startswith("/files/"):
            reply = self._service.file_at(request.target)
        else:
            reply = Reply(404, {"message": "Not Found"})
        self._ledger.add_call("redirected", None, reply.status, reply.success, download_id=reply.download_id)
        return reply
