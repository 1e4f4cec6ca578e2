"""The control address: control a running sandbox, and read its state, from another process.

It is beside the web service under ``/_sandbox``, speaks JSON, and needs no token: the sandbox listens on loopback only,
and all of its data is invented.

=========================  ==========================================================================
``GET /_sandbox``          the campuses with their new reports, planned and injected faults
``GET /_sandbox/audit``    the state: :class:`~airflow_provider_apscores.sandbox.entries.Audit`
``GET /_sandbox/calls``    the latest calls: :class:`~airflow_provider_apscores.sandbox.entries.Call`
``POST /_sandbox/reports`` issue reports: ``{"di_code": "0901", "count": 3}``
``POST /_sandbox/faults``  plan faults: ``{"faults": ["order:504:2"]}``
``POST /_sandbox/chaos``   inject random faults: ``{"seed": 7, "rate": 0.3}``, and ``faults``, ``calls``, ``in_a_row``
``POST /_sandbox/clear-faults``    no more faults
``POST /_sandbox/tokens``  expire all tokens: ``{}``
``POST /_sandbox/unlock``  unlock all accounts: ``{}``
=========================  ==========================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener
from urllib.request import Request as UrlRequest

from airflow_provider_apscores.sandbox.authentication import Authenticator
from airflow_provider_apscores.sandbox.entries import Audit, Call
from airflow_provider_apscores.sandbox.fault_plan import TRANSIENT, FaultPlan
from airflow_provider_apscores.sandbox.faults import CALLS, Fault, PlannedFault
from airflow_provider_apscores.sandbox.ledger import Ledger
from airflow_provider_apscores.sandbox.messages import Application, Reply, Request, not_allowed

CONTROL_PATH = "/_sandbox"


class Control:
    """Answers requests below the control address, and passes all others to the service."""

    def __init__(
        self, service: Application, *, ledger: Ledger, faults: FaultPlan, authenticator: Authenticator, account: str
    ) -> None:
        """Control *service*; :meth:`answer` shows the new reports of *account*."""
        self._service = service
        self._ledger = ledger
        self._faults = faults
        self._authenticator = authenticator
        self._account = account

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        if request.path != CONTROL_PATH and not request.path.startswith(f"{CONTROL_PATH}/"):
            return self._service.answer(request)
        what = request.path.removeprefix(CONTROL_PATH).strip("/")
        reads = {"": self._status, "audit": self._audit, "calls": self._calls}
        writes = {
            "reports": self._reports,
            "faults": self._plan,
            "chaos": self._chaos,
            "clear-faults": self._clear_faults,
            "tokens": self._tokens,
            "unlock": self._unlock,
        }
        if what in reads:
            return Reply(200, reads[what]()) if request.method == "GET" else not_allowed("GET")
        if what not in writes:
            return Reply(404, {"error": f"There is no {CONTROL_PATH}/{what}."})
        if request.method != "POST":
            return not_allowed("POST")
        fields = request.json() if request.body else {}
        # A web page can make a browser send a form to this address, but not this content type.
        if request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json" or fields is None:
            return Reply(400, {"error": "Send a JSON object, with Content-Type: application/json."})
        try:
            return Reply(200, writes[what](fields))
        except (KeyError, TypeError, ValueError) as error:
            return Reply(400, {"error": str(error)})

    def _status(self) -> dict[str, Any]:
        return {
            "campuses": [
                {
                    "di_code": campus.di_code,
                    "name": campus.name,
                    "waiting": self._ledger.waiting(campus.di_code, self._account),
                }
                for campus in self._ledger.campuses
            ],
            "counts": self._ledger.counts,
            "planned": self._faults.planned,
            "injected": self._faults.injected,
        }

    def _audit(self) -> dict[str, Any]:
        return self._ledger.audit().to_dict()

    def _calls(self) -> dict[str, Any]:
        return {"calls": [asdict(call) for call in self._ledger.calls]}

    def _reports(self, fields: dict[str, Any]) -> dict[str, Any]:
        di_code, count = fields["di_code"], fields.get("count", 1)
        if not isinstance(count, int) or count < 0:
            raise ValueError("count must be an integer, at least 0.")
        if di_code not in {campus.di_code for campus in self._ledger.campuses}:
            raise ValueError("There is no such campus.")
        return {"reports": self._ledger.issue(di_code, count)}

    def _plan(self, fields: dict[str, Any]) -> dict[str, Any]:
        # Parse all of them before the first is planned.
        planned = [PlannedFault.parse(text) for text in fields["faults"]]
        return {"planned": [str(self._faults.add(each)) for each in planned]}

    def _chaos(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._faults.chaos(**fields)
        return {}

    def _clear_faults(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._faults.clear()
        return {}

    def _tokens(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._authenticator.expire_tokens()
        return {}

    def _unlock(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._authenticator.unlock()
        return {}


class RemoteSandbox:
    """A sandbox in another process, with the methods of :class:`~airflow_provider_apscores.sandbox.Sandbox`."""

    def __init__(self, address: str) -> None:
        """Control the sandbox at *address*: ``http://127.0.0.1:8765``, with or without the base path."""
        scheme, _, rest = address.partition("://")
        self._control = f"{scheme}://{rest.partition('/')[0]}{CONTROL_PATH}"
        # A proxy of the environment can't reach this machine's loopback.
        self._opener = build_opener(ProxyHandler({}))

    def status(self) -> dict[str, Any]:
        """Return the campuses with their new reports, the counts, and the planned and injected faults."""
        return self._ask("")

    @property
    def counts(self) -> dict[str, int]:
        """How many calls of each kind arrived."""
        return cast("dict[str, int]", self.status()["counts"])

    @property
    def calls(self) -> list[Call]:
        """The latest calls, oldest first."""
        return [Call(**call) for call in self._ask("calls")["calls"]]

    def audit(self) -> Audit:
        """Return the current state."""
        return Audit(**self._ask("audit"))

    def add_reports(self, di_code: str, count: int = 1) -> list[str]:
        """Issue new reports to a campus, and return their ids."""
        return cast("list[str]", self._ask("reports", {"di_code": di_code, "count": count})["reports"])

    def fail(
        self, call: str, fault: str, *, times: int | None = 1, after: int = 0, di_code: str | None = None
    ) -> PlannedFault:
        """Plan a fault; see :meth:`airflow_provider_apscores.sandbox.Sandbox.fail`."""
        planned = PlannedFault(call, Fault.parse(fault), times, after, di_code)
        self._ask("faults", {"faults": [str(planned)]})
        return planned

    def chaos(
        self,
        seed: int,
        rate: float = 0.3,
        *,
        faults: Iterable[str] = TRANSIENT,
        calls: Iterable[str] = CALLS,
        in_a_row: int = 2,
    ) -> None:
        """Inject random faults; see :class:`~airflow_provider_apscores.sandbox.fault_plan.Chaos`."""
        fields = {"seed": seed, "rate": rate, "faults": list(faults), "calls": list(calls), "in_a_row": in_a_row}
        self._ask("chaos", fields)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._ask("clear-faults", {})

    def expire_tokens(self) -> None:
        """Expire all tokens."""
        self._ask("tokens", {})

    def unlock(self) -> None:
        """Unlock all accounts."""
        self._ask("unlock", {})

    def _ask(self, what: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        body = None if fields is None else json.dumps(fields).encode()
        headers = {"Content-Type": "application/json"}
        request = UrlRequest(f"{self._control}/{what}".rstrip("/"), data=body, headers=headers)  # noqa: S310
        try:
            with self._opener.open(request, timeout=30) as answer:
                return cast("dict[str, Any]", json.load(answer))
        except HTTPError as error:
            with error:
                if error.code == HTTPStatus.BAD_REQUEST:
                    raise ValueError(json.load(error)["error"]) from None
                raise
