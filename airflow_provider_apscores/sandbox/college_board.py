"""The sandbox as one thing to start, steer and ask."""

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

from airflow_provider_apscores.sandbox.access import Authenticator
from airflow_provider_apscores.sandbox.archive import Archive
from airflow_provider_apscores.sandbox.control import Control
from airflow_provider_apscores.sandbox.entries import Audit, Call, Campus
from airflow_provider_apscores.sandbox.faults import CALLS, TRANSIENT, Fault, Faults, PlannedFault
from airflow_provider_apscores.sandbox.ledger import Ledger
from airflow_provider_apscores.sandbox.redirect_target import RedirectTarget
from airflow_provider_apscores.sandbox.server import Server
from airflow_provider_apscores.sandbox.service import BASE_PATH, CollegeBoard

DEFAULT_SEED = 2026
DEFAULT_EMAIL = "registrar@saltmarsh.example"
#: With a letter beyond ASCII, and Base64 that holds a slash and padding: a client that encodes it wrongly is refused.
DEFAULT_PASSWORD = "Invented-Pa55?ßword"  # noqa: S105
#: Three campuses with news and one without, none of them real.
DEFAULT_CAMPUSES = (
    Campus("0901", "Saltmarsh University", 40),
    Campus("9120", "Quillfeather College", 34),
    Campus("9245", "Lanternhill Institute", 27),
    Campus("9377", "Emberwick College of Arts", 0),
)


class Sandbox:
    """A College Board on 127.0.0.1, answering in threads of its own.

    A context manager; or call :meth:`start` and :meth:`close`.

    Attributes:
        email: Of the account.
        password: Of the account, plain.
        faults: What goes wrong on purpose; :meth:`fail` and :meth:`chaos` add to it.
        ledger: The books.
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
        """Set everything up and bind the port; nothing is answered before :meth:`start`.

        Args:
            seed: Of the students: the same seed, the same files.
            campuses: The campuses of the account and the reports that wait for each.
            email: Of the account.
            password: Of the account, plain.
            more_accounts: Passwords by e-mail address of further accounts for the same campuses. Each account has its
                own cursors.
            host: A loopback address, IPv4.
            port: 0 for any that is free.
            state: A file that keeps the books, so that a sandbox started again with it goes on where this one was.
            url_lifetime: Seconds that a download address is good for.
            token_lifetime: Seconds that a token is good for.
            generation_seconds: How long it takes to generate a file, once for each content. Until then orders are
                answered 504.
            gateway_seconds: How long an order waits for that before it is answered 504.
            text_ids: True for download ids as JSON strings instead of numbers.
            lock_after: So many wrong passwords in a row lock the account; None for never.
            today: The date to live in, instead of this machine's.

        Raises:
            ValueError: A campus is impossible, or the state file belongs to another sandbox.
            OSError: The port is taken.
        """
        self.email = email
        self.password = password
        self.faults = Faults()
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
        self._service = CollegeBoard(
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
        self._host = host
        try:
            self._server = Server((host, port), control, self._closing)
        except BaseException:
            self._folder.cleanup()
            raise

    def start(self) -> Self:
        """Answer from now on."""
        self._server.start()
        return self

    def close(self) -> None:
        """Stop answering, close every connection, and delete the generated files; harmless when repeated."""
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

    # Where it is

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return self._server.origin

    @property
    def base_url(self) -> str:
        """What stands in the place of College Board's own base URL."""
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

    # What happens

    def add_reports(self, di_code: str, count: int = 1) -> list[str]:
        """Issue the next reports to a campus, as if students had just sent their scores.

        Returns:
            Their ids.

        Raises:
            KeyError: There is no such campus.
        """
        return self.ledger.issue(di_code, count)

    def fail(
        self, call: str, fault: str, *, times: int | None = 1, after: int = 0, di_code: str | None = None
    ) -> PlannedFault:
        """Plan a fault, behind those planned before.

        Args:
            call: ``login``, ``order``, ``download``, ``record`` or ``any``.
            fault: One of :data:`~airflow_provider_apscores.sandbox.faults.FAULTS`, with its argument: ``504``,
                ``slow=2``, ``refuse=mfa``.
            times: How often; None for ever.
            after: How many such calls go well first.
            di_code: Only calls about this campus.

        Raises:
            ValueError: There is no such fault, or it can't be played on that call.
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
        """Let faults come at random; see :class:`~airflow_provider_apscores.sandbox.faults.Chaos`."""
        self.faults.chaos(seed, rate, faults=faults, calls=calls, in_a_row=in_a_row)

    def clear_faults(self) -> None:
        """No more faults."""
        self.faults.clear()

    def expire_tokens(self) -> None:
        """Let every token expire."""
        self._authenticator.expire_tokens()

    def unlock(self) -> None:
        """Forget wrong passwords."""
        self._authenticator.unlock()

    # What happened

    @property
    def counts(self) -> dict[str, int]:
        """How many calls of each kind arrived: ``login``, ``order``, ``download``, ``record``."""
        return self.ledger.counts

    @property
    def calls(self) -> list[Call]:
        """The latest calls, oldest first."""
        return self.ledger.calls

    def audit(self) -> Audit:
        """The books as they stand now."""
        return self.ledger.audit()

    def records(self, di_code: str) -> Iterator[dict[str, str]]:
        """Every report issued to a campus, by the names of the layout's fields: what a test may look for in logs."""
        return self.ledger.reports(di_code)

    def _redirect_origin(self) -> str:
        with self._lock:
            if self._redirect_target is None:
                self._redirect_target = Server(
                    (self._host, 0), RedirectTarget(self._service, self.ledger), self._closing
                )
                self._redirect_target.start()
            return self._redirect_target.origin
