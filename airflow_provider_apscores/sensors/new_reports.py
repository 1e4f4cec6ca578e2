"""Wait until College Board has new score reports for a campus."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.polling import COURTESY, JITTER, look, patience_of, read_campuses
from airflow_provider_apscores.sensors.base import DEFERRABLE, GRACE, PatientSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

_WAIT_FOR = ("any", "all")
_TRIGGER = "airflow_provider_apscores.triggers.new_reports.APScoresNewReportsTrigger"


class APScoresNewReportsSensor(PatientSensor):
    """
    Wait until campuses have new score reports; return which.

    ::

        news = APScoresNewReportsSensor(task_id="news", deferrable=True)
        download = APScoresDownloadOperator.partial(task_id="download", destination="…")
        download.expand(di_code=news.output)

    To ask means to order: each look orders a ``new`` file for each campus, with one login, several at a time, and
    fetches and records none. So reports that were seen stay new until a download of them is recorded, and any number
    of sensors may look.

    A look that gets no answer about some campus and does not end the wait is a missed look. A refused login or campus
    and a wrong connection fail the task for good at once, whatever ``retries`` say.

    :param di_codes: the campuses: DI codes of four digits, as a list or separated by commas. All campuses of
        the connection when this is left out; where it is given and turns out to be empty, the task is skipped.
        (templated)
    :param wait_for: ``any`` ends the wait as soon as one campus has news; ``all`` waits for every one. A campus that
        was seen to have news is not asked for again.
    :param file_format: ``TXT`` or ``CSV``: what is ordered. (templated)
    :param poke_interval: seconds between looks, or a ``timedelta``. A look comes up to a fifth later by chance, so
        that many sensors don't ask in step.
    :param minimum_interval: seconds between looks, or a ``timedelta``, whatever *poke_interval* says: a courtesy to
        the service. One on this machine, such as the sandbox, needs none.
    :param max_consecutive_failures: that many missed looks in a row fail the task.
    :param deferrable: wait in the triggerer; ``mode`` does not matter then.
    :param start_from_trigger: with *deferrable*, leave out the first look in a worker: the task begins in the
        triggerer, and looks for the first time after *poke_interval*. Arguments must not be templates.
    :param apscores_conn_id: the connection to use. (templated)
    :return: the DI codes of the campuses that have new reports, in the order in which they were given; with ``all``
        that is every one.
    :raises AirflowFailException: College Board refused the login or a campus, or the connection or an argument is
        wrong. Its ``__cause__`` is the error, of a class in ``airflow_provider_apscores.errors``.
    :raises AirflowSensorTimeout: there was nothing new within ``timeout``; a skip with ``soft_fail``.
    :raises APScoresError: with ``transient`` true: too many missed looks in a row.
    """

    template_fields: Sequence[str] = ("di_codes", "file_format", "apscores_conn_id")
    ui_color = "#cfe2f3"

    def __init__(
        self,
        *,
        di_codes: Sequence[str] | str | None = None,
        wait_for: str = "any",
        file_format: str = "TXT",
        poke_interval: timedelta | float = 3600,
        minimum_interval: timedelta | float = COURTESY,
        max_consecutive_failures: int = 5,
        deferrable: bool = DEFERRABLE,
        start_from_trigger: bool = False,
        apscores_conn_id: str = APScoresHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval,
            max_consecutive_failures=max_consecutive_failures,
            deferrable=deferrable,
            **kwargs,
        )
        if wait_for not in _WAIT_FOR:
            raise ValueError(f"wait_for must be one of {', '.join(_WAIT_FOR)}.")
        self.di_codes = di_codes
        # What a template or another task gives may be nothing as well, and that must not become every campus.
        self._all_campuses = di_codes is None
        self.wait_for = wait_for
        self.file_format = file_format
        self.minimum_interval = (
            minimum_interval.total_seconds() if isinstance(minimum_interval, timedelta) else float(minimum_interval)
        )
        self.apscores_conn_id = apscores_conn_id
        self._interval = self.poke_interval
        self._last = 0.0
        self._seen: list[str] = []
        if start_from_trigger and deferrable:
            self._begin_in_the_triggerer()

    def look(self, context: Context, event: dict[str, Any] | None) -> list[str] | None:
        """Ask about the campuses, or take what the trigger found."""
        if event and event.get("di_codes"):
            return list(event["di_codes"])
        campuses = read_campuses(self.di_codes)
        if not (campuses or self._all_campuses):
            raise AirflowSkipException("There is no campus to wait for: di_codes is empty.")
        self._last = time.time()
        self._space(nearby=False)
        hook = APScoresHook(self.apscores_conn_id, patience=patience_of(self._interval))
        found = look(hook, campuses, self.file_format, but=self._seen)
        self._space(nearby=found.nearby)
        self.log.info("Looked: %s.", found)
        self._seen += [code for code in found.news if code not in self._seen]
        news = found.result(self._seen, self.wait_for)
        if news is None and found.fault is not None:
            raise found.fault
        return news

    def make_trigger(self, *, deadline: float, missed: int) -> BaseTrigger:
        """Return the trigger that goes on asking."""
        from airflow_provider_apscores.triggers.new_reports import APScoresNewReportsTrigger

        return APScoresNewReportsTrigger(
            **self._trigger_arguments(),
            seen=",".join(self._seen),
            since=self._last or None,
            deadline=deadline,
            missed=missed,
        )

    def _space(self, *, nearby: bool) -> None:
        """Set the time to the next look: as the user said, but courteous, and not in step with other sensors."""
        interval = self._interval if nearby else max(self._interval, self.minimum_interval)
        if not self.exponential_backoff:  # it has chance in it already
            interval *= random.uniform(1, 1 + JITTER)  # noqa: S311 - no secret
        self.poke_interval = interval

    def _trigger_arguments(self) -> dict[str, Any]:
        return {
            "di_codes": ",".join(read_campuses(self.di_codes)),
            "wait_for": self.wait_for,
            "file_format": self.file_format,
            "poke_interval": self._interval,
            "minimum_interval": self.minimum_interval,
            "max_consecutive_failures": 0 if self.silent_fail else self.max_consecutive_failures,
            "apscores_conn_id": self.apscores_conn_id,
        }

    def _begin_in_the_triggerer(self) -> None:
        from airflow.triggers.base import StartTriggerArgs

        if not (self._all_campuses or _is_literal(self.di_codes)):
            raise ValueError(
                "start_from_trigger needs the campuses themselves, DI codes of four digits: no template, and no result "
                "of another task."
            )
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_TRIGGER,
            trigger_kwargs={**self._trigger_arguments(), "timeout": self.timeout},
            next_method="execute_complete",
            next_kwargs=None,
            timeout=timedelta(seconds=self.timeout) + GRACE,
        )


def _is_literal(di_codes: Any) -> bool:
    """Whether the campuses are named here and now."""
    try:
        return bool(read_campuses(di_codes))
    except (ConfigurationError, TypeError):  # a template; what another task returns
        return False
