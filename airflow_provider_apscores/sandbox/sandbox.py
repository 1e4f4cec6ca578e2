"""The sandbox: start it, control it, and ask what happened."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from airflow_provider_apscores.sandbox.archive import Archive
from airflow_provider_apscores.sandbox.authentication import Authenticator
from airflow_provider_apscores.sandbox.control import Control
from airflow_provider_apscores.sandbox.entries import Audit, Call, Campus
from airflow_provider_apscores.sandbox.fault_plan import TRANSIENT, FaultPlan
from airflow_provider_apscores.sandbox.faults import CALLS, Fault, PlannedFault
from airflow_provider_apscores.sandbox.ledger import Ledger
from airflow_provider_apscores.sandbox.redirect_target import RedirectTarget
from airflow_provider_apscores.sandbox.server import Server, loopback_address
from airflow_provider_apscores.sandbox.service import BASE_PATH, WebService

DEFAULT_SEED = 2026
DEFAULT_EMAIL = "registrar@saltmarsh.example"
#: A non-ASCII letter, and Base64 with a slash and padding: the login fails for a client that encodes it wrongly.
DEFAULT_PASSWORD = "Invented-Pa55?ßword"  # noqa: S105
#: Three campuses with new reports and one without, all invented.
DEFAULT_CAMPUSES = (
    Campus("0901", "Saltmarsh University", 40),
    Campus("9120", "Quillfeather College", 34),
    Campus("9245", "Lanternhill Institute", 27),
    Campus("9377", "Emberwick College of Arts", 0),
)


class Sandbox:
    """A College Board look-alike on 127.0.0.1 that answers in background threads.

    Use it as a context manager, or call :meth:`start` and :meth:`close`.

    Attributes:
        email: Of the account.
        password: Of the account, plain.
        faults: The faults to inject; :meth:`fail` and :meth:`chaos` add to it.
        ledger: The state: reports, cursors, downloads and calls.
    """

    def __init__(
        self,
        *,
        seed: int = DEFAULT_SEED,
        campuses: Iterable[Campus] = DEFAULT_CAMPUSES,
        email: str = DEFAULT_EMAIL,
        password: str = DEFAULT_PASSWORD,
        more_accounts: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str | os.PathLike[str] | None = None,
        url_lifetime: float = 300.0,
        token_lifetime: float = 3600.0,
        generation_seconds: float = 0.0,
        gateway_seconds: float = 0.0,
        text_ids: bool = False,
        lock_after: int | None = 5,
        today: date | None = None,
    ) -> None:
        """Create a sandbox and bind its port. It answers after :meth:`start`.

        Args:
            seed: Of the students: the same seed gives the same files.
            campuses: The campuses of the account and the number of new reports of each.
            email: Of the account.
            password: Of the account, plain.
            more_accounts: Passwords by e-mail address of further accounts for the same campuses. Each account has its
                own cursors.
            host: ``localhost`` or an IPv4 loopback address.
            port: 0 for any free port.
            state: A file that keeps the state across restarts.
            url_lifetime: Seconds until a download address expires.
            token_lifetime: Seconds until a token expires.
            generation_seconds: How long it takes to generate a file, once for each content. Until then orders get a
                504.
            gateway_seconds: How long an order waits for the file before it gets a 504.
            text_ids: True for download ids as JSON strings instead of numbers.
            lock_after: Number of wrong passwords in a row that lock the account; None for never.
            today: The date of the sandbox, instead of this machine's date.

        Raises:
            ValueError: The host is not loopback, a campus is invalid, or the state file belongs to another sandbox.
            OSError: The port is in use.
        """
        self._host = loopback_address(host)
        self.email = email
        self.password = password
        self.faults = FaultPlan()
        self.ledger = Ledger(
            campuses,
            seed=seed,
            today=lambda: today or datetime.now().date(),
            state=None if state is None else Path(state),
        )
        self._closing = threading.Event()
        self._redirect_target: Server | None = None
        self._lock = threading.Lock()
        self._authenticator = Authenticator(
            {**(more_accounts or {}), email: password},
            seed=seed,
            token_lifetime=token_lifetime,
            url_lifetime=url_lifetime,
            lock_after=lock_after,
        )
        self._folder = tempfile.TemporaryDirectory(prefix="apscores-sandbox-")
        self._service = WebService(
            ledger=self.ledger,
            archive=Archive(self.ledger, Path(self._folder.name), seed=seed),
            authenticator=self._authenticator,
            faults=self.faults,
            closing=self._closing,
            origin=lambda: self.origin,
            redirect_origin=self._redirect_origin,
            generation_seconds=generation_seconds,
            gateway_seconds=gateway_seconds,
            text_ids=text_ids,
        )
        control = Control(
            self._service, ledger=self.ledger, faults=self.faults, authenticator=self._authenticator, account=email
        )
        try:
            self._server = Server(self._host, port, control, self._closing)
        except BaseException:
            self._folder.cleanup()
            raise

    def start(self) -> Self:
        """Start to answer."""
        self._server.start()
        return self

    def close(self) -> None:
        """Stop, close all connections, and delete the generated files. Further calls do nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.stop()
        with self._lock:
            if self._redirect_target is not None:
                self._redirect_target.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Sandbox({self.base_url!r})"

    # Addresses

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return self._server.origin

    @property
    def base_url(self) -> str:
        """The base URL, in place of College Board's."""
        return self.origin + BASE_PATH

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    @property
    def di_codes(self) -> list[str]:
        """The campuses of the account."""
        return [campus.di_code for campus in self.ledger.campuses]

    @property
    def airflow_connection(self) -> str:
        """The account as an Airflow connection in JSON, for ``AIRFLOW_CONN_APSCORES_DEFAULT``."""
        return json.dumps(
            {
                "conn_type": "apscores",
                "login": self.email,
                "password": self.password,
                "host": self.base_url,
                "extra": {"di_codes": ",".join(self.di_codes)},
            }
        )

    # Control

    def add_campus(self, campus: Campus) -> None:
        """Add a campus to the account, with its new reports; one that it has already keeps its state.

        Raises:
            ValueError: The account has as many campuses as it can have.
        """
        self.ledger.add_campus(campus)

    def add_reports(self, di_code: str, count: int = 1) -> list[str]:
        """Issue new reports to a campus, as if students had just sent their scores.

        Returns:
            Their ids.

        Raises:
            KeyError: There is no such campus.
        """
        return self.ledger.issue(di_code, count)

    def fail(
        self, call: str, fault: str, *, times: int | None = 1, after: int = 0, di_code: str | None = None
    ) -> PlannedFault:
        """Plan a fault, after the faults planned before.

        Args:
            call: ``login``, ``order``, ``download``, ``record`` or ``any``.
            fault: One of :data:`~airflow_provider_apscores.sandbox.faults.FAULTS`, with its argument: ``504``,
                ``slow=2``, ``refuse=mfa``.
            times: How many calls fail; None for all.
            after: How many matching calls succeed first.
            di_code: Only calls about this campus.

        Raises:
            ValueError: There is no such fault, or it does not apply to that call.
        """
        return self.faults.add(PlannedFault(call, Fault.parse(fault), times, after, di_code))

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
        self.faults.chaos(seed, rate, faults=faults, calls=calls, in_a_row=in_a_row)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.faults.clear()

    def expire_tokens(self) -> None:
        """Expire all tokens."""
        self._authenticator.expire_tokens()

    def unlock(self) -> None:
        """Unlock all accounts."""
        self._authenticator.unlock()

    # Results

    @property
    def counts(self) -> dict[str, int]:
        """How many calls of each kind arrived: ``login``, ``order``, ``download``, ``record``."""
        return self.ledger.counts

    @property
    def calls(self) -> list[Call]:
        """The latest calls, oldest first."""
        return self.ledger.calls

    def audit(self) -> Audit:
        """Return the current state."""
        return self.ledger.audit()

    def records(self, di_code: str) -> Iterator[dict[str, str]]:
        """Yield every report issued to a campus as values by field name, for example to search logs for them."""
        return self.ledger.reports(di_code)

    def _redirect_origin(self) -> str:
        with self._lock:
            if self._redirect_target is None:
                self._redirect_target = Server(self._host, 0, RedirectTarget(self._service, self.ledger), self._closing)
                self._redirect_target.start()
            return self._redirect_target.origin
