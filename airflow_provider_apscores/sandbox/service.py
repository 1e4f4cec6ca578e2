"""The four calls of the web service, from a request to a reply. No sockets.

Written from the reference, without :mod:`airflow_provider_apscores.webservice`, so that a misread header or field fails
a test. Where the reference leaves something open, the sandbox is strict: headers are required, the password must be
Base64, a token expires.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_apscores.sandbox.archive import Archive
from airflow_provider_apscores.sandbox.authentication import Authenticator
from airflow_provider_apscores.sandbox.entries import Generation
from airflow_provider_apscores.sandbox.fault_effects import damaged_reply, replacement_reply
from airflow_provider_apscores.sandbox.fault_plan import FaultPlan
from airflow_provider_apscores.sandbox.faults import FAULTS, REFUSALS, Fault
from airflow_provider_apscores.sandbox.ledger import Ledger
from airflow_provider_apscores.sandbox.messages import Reply, Request, access_denied, json_reply, not_allowed

BASE_PATH = "/aposrd-api-prod"

log = logging.getLogger("airflow_provider_apscores.sandbox")

_PATHS = {
    f"{BASE_PATH}/webServiceAuth": "login",
    f"{BASE_PATH}/fileGeneration": "order",
    f"{BASE_PATH}/webServiceDownloaded": "record",
}
_AUTHENTICATION = "X-CB-Catapult-Authentication-Token"
_AUTHORIZATION = "X-CB-Catapult-Authorization-Token"


class WebService:
    """The web service."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        archive: Archive,
        authenticator: Authenticator,
        faults: FaultPlan,
        closing: threading.Event,
        origin: Callable[[], str],
        redirect_origin: Callable[[], str],
        generation_seconds: float = 0.0,
        gateway_seconds: float = 0.0,
        text_ids: bool = False,
    ) -> None:
        """Create the service.

        Args:
            ledger: The state.
            archive: The files.
            authenticator: Passwords, tokens, signed addresses.
            faults: The faults to inject.
            closing: Set when the sandbox stops; ends every wait.
            origin: Returns ``http://127.0.0.1:PORT``.
            redirect_origin: Returns the origin of another host, the target of redirects.
            generation_seconds: How long it takes to generate a file, once for each content.
            gateway_seconds: How long an order waits for the file before it gets a 504.
            text_ids: True for download ids as JSON strings, False for numbers.
        """
        self._ledger = ledger
        self._archive = archive
        self._authenticator = authenticator
        self._faults = faults
        self._closing = closing
        self._origin = origin
        self._redirect_origin = redirect_origin
        self._generation_seconds = generation_seconds
        self._gateway_seconds = gateway_seconds
        self._text_ids = text_ids
        self._ready: dict[tuple[object, ...], float] = {}
        self._lock = threading.Lock()
        self._by_opaque_name: dict[str, str] = {}

    def answer(self, request: Request) -> Reply:
        """Answer a request: one of the four calls, else 404."""
        kind = _PATHS.get(request.path) or ("download" if request.path.startswith("/files/") else None)
        if kind is None:
            return Reply(404, {"message": "Not Found"})
        method = "GET" if kind == "download" else "POST"
        if request.method != method:
            return not_allowed(method)
        about = self._about(kind, request)
        di_code = about.di_code if isinstance(about, Generation) else about
        fault = self._faults.draw(kind, di_code)
        reply = self._reply(kind, request, fault)
        if reply.download_id is None and isinstance(about, Generation):
            reply.download_id = about.download_id
        self._note(kind, di_code, reply, fault)
        return reply

    def _about(self, kind: str, request: Request) -> Generation | str | None:
        """Return the generation that a call is about, else its campus, else None."""
        if kind == "download":
            return self._generation_at(request.path)
        fields = request.json() or {}
        if kind == "record":
            return self._ledger.generation(str(fields.get("downloadId")))
        di_code = fields.get("diCode")
        return di_code if kind == "order" and isinstance(di_code, str) else None

    def _generation_at(self, path: str) -> Generation | None:
        name = path.rpartition("/")[2]
        with self._lock:
            if name not in self._by_opaque_name:
                # After a restart, addresses signed earlier are still valid.
                known = self._ledger.download_ids
                self._by_opaque_name = {self._authenticator.opaque_name(each): each for each in known}
            download_id = self._by_opaque_name.get(name, "")
        return self._ledger.generation(download_id)

    def _note(self, kind: str, di_code: str | None, reply: Reply, fault: Fault | None) -> None:
        status = 0 if reply.silent else reply.status
        text = str(fault) if fault else None
        self._ledger.add_call(kind, di_code, status, reply.success, download_id=reply.download_id, fault=text)
        log.info(
            "%-8s %-4s -> %s%s%s%s",
            kind,
            # Log the campus only if it is a DI code: a client can send anything.
            di_code if di_code and len(di_code) == 4 and di_code.isdigit() else "",
            status or "no answer",
            " refused" if reply.fields is not None and status == HTTPStatus.OK and not reply.success else "",
            f" download {reply.download_id}" if reply.download_id else "",
            f" (fault {text})" if text else "",
        )

    # The four calls

    def _reply(self, kind: str, request: Request, fault: Fault | None) -> Reply:
        if fault is not None and not FAULTS[fault.name].effect and fault.name != "expire-token":
            return replacement_reply(kind, fault, lambda: self._redirect_origin() + request.target)
        call = {"login": self._log_in, "order": self._order, "download": self._download, "record": self._record}[kind]
        if fault is not None and fault.name == "expire-token" and kind != "login":
            self._authenticator.expire_tokens(request.headers.get(_AUTHORIZATION, ""))
        reply = call(request, fault)
        if fault is not None:
            reply = damaged_reply(reply, fault)
        if kind == "download":
            reply.success = reply.on_complete is not None
        return reply

    def _log_in(self, request: Request, fault: Fault | None) -> Reply:
        refusal = _header_error(request)
        if refusal is not None:
            return refusal
        if request.headers.get(_AUTHORIZATION) != "CBLogin":
            return json_reply(False, f"The header {_AUTHORIZATION} must be CBLogin at login.", status=403)
        fields = request.json()
        if fields is None:
            return json_reply(False, "The body is not a JSON object.", status=400)
        email = fields.get("u")
        reason = self._authenticator.log_in(email, fields.get("p"))
        if reason is not None:
            return json_reply(False, REFUSALS[reason])
        lifetime = 0.0 if fault is not None and fault.name == "expire-token" else None
        self._ledger.add_login()
        return json_reply(
            True, "Login successful.", authToken=self._authenticator.issue_token(str(email), lifetime=lifetime)
        )

    def _order(self, request: Request, fault: Fault | None) -> Reply:
        fields, account, refusal = self._authorized(request)
        if refusal is not None:
            return refusal
        di_code, file_format = fields.get("diCode"), fields.get("format")
        download_type = fields.get("downloadType")
        if not isinstance(di_code, str) or di_code not in {campus.di_code for campus in self._ledger.campuses}:
            return json_reply(False, REFUSALS["campus"])
        if file_format not in ("TXT", "CSV") or not isinstance(file_format, str):
            return json_reply(False, "The format must be TXT or CSV.")
        if download_type not in ("new", "full") or not isinstance(download_type, str):
            return json_reply(False, "The downloadType must be new or full.")
        extent = self._ledger.extent(account, di_code, download_type)
        if extent[0] < extent[1] and not self._generated((account, di_code, file_format, *extent)):
            return Reply(504, {"message": "Endpoint request timed out"})
        generation = self._ledger.generate(account, di_code, file_format, download_type)
        if generation is None:
            return json_reply(False, REFUSALS["nothing-new"])
        lifetime = fault.number if fault is not None and fault.name == "expired-url" else None
        number = generation.download_id
        reply = json_reply(
            True,
            "File generated.",
            url=self._origin() + self._authenticator.signed_path(number, lifetime=lifetime),
            fileName=generation.file_name,
            downloadId=number if self._text_ids else int(number),
        )
        reply.download_id = number
        return reply

    def _generated(self, key: tuple[object, ...]) -> bool:
        """Return whether a file is ready, after at most *gateway_seconds*."""
        if not self._generation_seconds:
            return True
        now = time.monotonic()
        with self._lock:
            remaining = self._ready.setdefault(key, now + self._generation_seconds) - now
        self._closing.wait(max(0.0, min(remaining, self._gateway_seconds)))
        return remaining <= self._gateway_seconds

    def _download(self, request: Request, fault: Fault | None) -> Reply:
        if request.headers.get(_AUTHENTICATION) != "CBLogin Web Service" or _AUTHORIZATION not in request.headers:
            return access_denied("Missing Authentication Token")
        account = self._authenticator.account_of(request.headers.get(_AUTHORIZATION))
        if account is None:
            return json_reply(False, REFUSALS["token"], status=401)
        return self.file_at(request.target, account, fault)

    def file_at(self, target: str, account: str | None = None, fault: Fault | None = None) -> Reply:
        """Return the file of a signed address, for *account*, or for any client if *account* is None."""
        generation = self._generation_at(urlsplit(target).path)
        if generation is None or account not in (None, generation.account):
            return access_denied("Access denied")
        denied = self._authenticator.address_error(target)
        if denied is not None:
            return access_denied(denied)
        right_file = True
        if fault is not None and fault.name == "wrong-campus":
            file, right_file = self._archive.file_of_another(generation, fault.argument), False
        elif fault is not None and fault.name == "stray-record":
            file, right_file = self._archive.file_with_stray(generation, fault.argument), False
        else:
            file = self._archive.file(generation)
        download_id = generation.download_id
        return Reply(
            200,
            file=file,
            content_type="text/csv" if generation.file_format == "CSV" else "text/plain",
            success=right_file,
            download_id=download_id,
            on_complete=(lambda: self._ledger.add_sent(download_id)) if right_file else None,
        )

    def _record(self, request: Request, fault: Fault | None) -> Reply:
        fields, account, refusal = self._authorized(request)
        if refusal is not None:
            return refusal
        download_id, file_format = fields.get("downloadId"), fields.get("format")
        if not isinstance(download_id, str | int):
            return json_reply(False, REFUSALS["download-id"])
        if not self._ledger.record(account, str(download_id), str(file_format)):
            return json_reply(False, REFUSALS["download-id"])
        reply = json_reply(True, "Download recorded.")
        reply.download_id = str(download_id)
        return reply

    def _authorized(self, request: Request) -> tuple[dict[str, Any], str, Reply | None]:
        """Return the fields and the account of a call that needs a token, or a refusal."""
        refusal = _header_error(request)
        if refusal is not None:
            return {}, "", refusal
        account = self._authenticator.account_of(request.headers.get(_AUTHORIZATION))
        if account is None:
            return {}, "", json_reply(False, REFUSALS["token"], status=401)
        fields = request.json()
        if fields is None:
            return {}, "", json_reply(False, "The body is not a JSON object.", status=400)
        return fields, account, None


def _header_error(request: Request) -> Reply | None:
    """Return a refusal if a header that every JSON call needs is missing or wrong, else None."""
    if request.headers.get(_AUTHENTICATION) != "CBLogin Web Service":
        return json_reply(False, f"The header {_AUTHENTICATION} is missing or wrong.", status=403)
    if _AUTHORIZATION not in request.headers:
        return json_reply(False, f"The header {_AUTHORIZATION} is missing.", status=403)
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return json_reply(False, "The header Content-Type must be application/json.", status=415)
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "").split(",")]
    if "application/json" not in accepted:
        return json_reply(False, "The header Accept must name application/json.", status=406)
    return None
