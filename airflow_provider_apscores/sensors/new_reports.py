"""Wait until College Board has new score reports for a campus."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.hooks.polling import MIN_INTERVAL, patience_for, poll, read_campuses, with_jitter
from airflow_provider_apscores.operators.arguments import read_boolean, read_seconds
from airflow_provider_apscores.sensors.base import DEFERRABLE, GRACE, PollingSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

_WAIT_FOR = ("any", "all")
_TRIGGER = "airflow_provider_apscores.triggers.new_reports.APScoresNewReportsTrigger"


class APScoresNewReportsSensor(PollingSensor):
    """
    Wait until campuses have new score reports; return their DI codes.

    ::

        new_reports = APScoresNewReportsSensor(task_id="wait_for_reports", deferrable=True)
        download = APScoresDownloadOperator.partial(task_id="download", destination="…")
        download.expand(di_code=new_reports.output)

    Each poll orders a ``new`` file for each campus, with one login and several orders at a time. It downloads and
    records nothing. So the reports stay new until a download of them is recorded, and any number of sensors may poll.

    A poll fails if some campus gets no answer and the others do not end the wait. A refused login, a refused campus
    and a wrong connection fail the task permanently at once, whatever ``retries`` and ``soft_fail`` say.

    :param di_codes: the campuses: DI codes of four digits, as a list or separated by commas. Leave it out for all
        campuses of the connection. If it is given but empty, the task is skipped. (templated)
    :param wait_for: ``any`` ends the wait as soon as one campus has new reports; ``all`` waits until every campus
        has. A campus with new reports is not polled again.
    :param file_format: ``TXT`` or ``CSV``: what to order. (templated)
    :param poke_interval: seconds between polls, or a ``timedelta``. A poll is delayed at random by up to a fifth of
        it, so that many sensors do not poll in step.
    :param minimum_interval: minimum seconds between polls, or a ``timedelta``, whatever *poke_interval* says. It does
        not apply to a service on this machine, such as the sandbox.
    :param max_consecutive_failures: that many failed polls in a row fail the task.
    :param deferrable: wait in the triggerer; ``mode`` has no effect then.
    :param start_from_trigger: with *deferrable*, start in the triggerer and skip the first poll in a worker. The
        first poll comes after *poke_interval*. Arguments must not be templates.
    :param apscores_conn_id: the connection to use. (templated)
    :return: the DI codes of the campuses that have new reports, in the given order.
    :raises AirflowFailException: College Board refused the login or a campus, or the connection or an argument is
        wrong. Its ``__cause__`` is the error, of a class in ``airflow_provider_apscores.errors``.
    :raises AirflowSensorTimeout: there was nothing new within ``timeout``; a skip with ``soft_fail``.
    :raises APScoresError: with ``transient`` true: too many failed polls in a row.
    """

    template_fields: Sequence[str] = ("di_codes", "file_format", "apscores_conn_id")
    ui_color = "#cfe2f3"
    campus_from = "di_codes"

    def __init__(
        self,
        *,
        di_codes: Sequence[str] | str | None = None,
        wait_for: str = "any",
        file_format: str = "TXT",
        poke_interval: timedelta | float = 3600,
        minimum_interval: timedelta | float = MIN_INTERVAL,
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
        # A template or another task may give an empty value. It must not mean every campus.
        self._all_campuses = di_codes is None
        self.wait_for = wait_for
        self.file_format = file_format
        self.minimum_interval = read_seconds(minimum_interval, "minimum_interval", MIN_INTERVAL)
        self.apscores_conn_id = apscores_conn_id
        self._interval = self.poke_interval
        self._last_poll = 0.0
        self._found: list[str] = []
        if read_boolean(start_from_trigger, "start_from_trigger", False) and self.deferrable:
            self._start_in_triggerer()

    def poll(self, context: Context, event: dict[str, Any] | None) -> list[str] | None:
        """Poll the campuses, or take what the trigger found."""
        if event and event.get("di_codes"):
            return list(event["di_codes"])
        campuses = read_campuses(self.di_codes)
        if not (campuses or self._all_campuses):
            raise AirflowSkipException("There is no campus to wait for: di_codes is empty.")
        self._last_poll = time.time()
        self._set_interval(is_loopback=False)
        hook = APScoresHook(self.apscores_conn_id, patience=patience_for(self._interval))
        result = poll(hook, campuses, self.file_format, exclude=self._found)
        self._set_interval(is_loopback=result.is_loopback)
        self.log.info("Polled: %s.", result)
        self._found += [code for code in result.new if code not in self._found]
        finished = result.finished(self._found, self.wait_for)
        if finished is None and result.error is not None:
            raise result.error
        return finished

    def make_trigger(self, *, deadline: float, failed_polls: int) -> BaseTrigger:
        """Return the trigger that continues the polling."""
        from airflow_provider_apscores.triggers.new_reports import APScoresNewReportsTrigger

        return APScoresNewReportsTrigger(
            **self._trigger_arguments(),
            found=",".join(self._found),
            last_poll=self._last_poll or None,
            deadline=deadline,
            failed_polls=failed_polls,
        )

    def _set_interval(self, *, is_loopback: bool) -> None:
        """Set the time to the next poll: at least the minimum interval, and not in step with other sensors."""
        interval = self._interval if is_loopback else max(self._interval, self.minimum_interval)
        # Exponential backoff is random by itself.
        self.poke_interval = interval if self.exponential_backoff else with_jitter(interval)

    def _trigger_arguments(self) -> dict[str, Any]:
        return {
            "di_codes": ",".join(read_campuses(self.di_codes)),
            "wait_for": self.wait_for,
            "file_format": self.file_format,
            "poke_interval": self._interval,
            "minimum_interval": self.minimum_interval,
            "max_consecutive_failures": self._failure_limit,
            "apscores_conn_id": self.apscores_conn_id,
        }

    def _start_in_triggerer(self) -> None:
        from airflow.triggers.base import StartTriggerArgs

        if not (self._all_campuses or _is_literal(self.di_codes)):
            raise ValueError(
                "start_from_trigger needs literal DI codes of four digits in di_codes, no template and no result of "
                "another task."
            )
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=_TRIGGER,
            trigger_kwargs={**self._trigger_arguments(), "timeout": self.wait_limit},
            next_method="execute_complete",
            next_kwargs=None,
            timeout=timedelta(seconds=self.wait_limit) + GRACE,
        )


def _is_literal(di_codes: Any) -> bool:
    """Whether *di_codes* names the campuses when the DAG is parsed."""
    try:
        return bool(read_campuses(di_codes))
    except (ConfigurationError, TypeError):  # a template, or the output of another task
        return False
