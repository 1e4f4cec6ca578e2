"""What the sensors share: the same results, skips and errors in poke, reschedule and deferrable mode."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_apscores import errors
from airflow_provider_apscores.errors import APScoresError
from airflow_provider_apscores.hooks.exceptions import airflow_exceptions
from airflow_provider_apscores.hooks.polling import FailedPolls
from airflow_provider_apscores.operators.arguments import read_boolean, read_integer, read_seconds
from airflow_provider_apscores.operators.base import LabelledByCampus

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)

# The trigger ends the wait at the deadline. If no triggerer is alive, Airflow ends it this much later.
GRACE = timedelta(minutes=5)
_MAX_FAILURES = 5
_AIRFLOW_TIMES = {"poke_interval", "timeout", "max_wait"}
_AIRFLOW_BOOLEANS = {"soft_fail", "silent_fail", "never_fail", "exponential_backoff"}
# The key under which Airflow 3.3 keeps the count of failed polls of a rescheduled sensor.
_STATE_KEY = "apscores.failed_polls"
_PAUSE = 30.0


class PollingSensor(LabelledByCampus, BaseSensorOperator):
    """
    A sensor that polls, can defer, and tolerates a number of failed polls in a row.

    Every poll goes through ``poke``: the first one of a deferrable sensor, which defers from there, and the result of
    its trigger as well. So one method decides on results, skips and errors in every mode.

    :param max_consecutive_failures: that many failed polls in a row fail the task.
    :param deferrable: wait in the triggerer; ``mode`` has no effect then.
    """

    def __init__(
        self, *, max_consecutive_failures: int = _MAX_FAILURES, deferrable: bool = DEFERRABLE, **kwargs: Any
    ) -> None:
        # Airflow does not check its own booleans, and the text "False" is true.
        for name in _AIRFLOW_BOOLEANS & kwargs.keys():
            kwargs[name] = read_boolean(kwargs[name], name, False)
        for name in _AIRFLOW_TIMES & kwargs.keys():
            kwargs[name] = read_seconds(kwargs[name], name, None)
        super().__init__(**kwargs)
        self.max_consecutive_failures = read_integer(
            max_consecutive_failures, "max_consecutive_failures", _MAX_FAILURES, least=1
        )
        self.deferrable = read_boolean(deferrable, "deferrable", DEFERRABLE)
        if self.deferrable:
            self.mode = "poke"
        self._failed_polls = 0
        self._started = time.time()
        self._deadline: float | None = None
        self._event: dict[str, Any] | None = None

    @abstractmethod
    def poll(self, context: Context, event: dict[str, Any] | None) -> list[str] | None:
        """
        Poll once, in the worker.

        :param event: what the trigger found; None to poll now.
        :return: the campuses that have new reports, or None to wait on.
        """

    @abstractmethod
    def make_trigger(self, *, deadline: float, failed_polls: int) -> BaseTrigger:
        """
        Return the trigger that continues the polling in the triggerer.

        :param deadline: seconds since 1970 at which the wait ends.
        :param failed_polls: failed polls in a row so far.
        """

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once. A deferrable sensor defers from here if there is nothing new."""
        event, self._event = self._event, None
        with airflow_exceptions():
            self._raise_for_event(event or {})
            di_codes = self._poll(context, event)
        if di_codes:
            return PokeReturnValue(True, di_codes)
        if self.deferrable:
            self._defer()
        return PokeReturnValue(False)

    def execute(self, context: Context) -> Any:
        """Wait for new reports."""
        self._started = time.time()
        with self._skips():
            return super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after the trigger; Airflow calls this with the trigger's event."""
        with self._skips():
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        deadline: float | None = None,
        failed_polls: int = 0,
    ) -> Any:
        """Finish with what the trigger found, or fail with the error that it met."""
        self._event, self._deadline, self._failed_polls = event, deadline, failed_polls
        if event and event.get("status") == "timeout":
            self._failed_polls = int(event.get("failed_polls", 0))
        return self.poke(context).xcom_value

    @contextmanager
    def _skips(self) -> Iterator[None]:
        """
        Skip the task with ``soft_fail`` if there was nothing new in time, and with ``never_fail`` on every error.

        Airflow's own sensor also skips with ``soft_fail`` when a task fails permanently, for example on a refused
        login (apache/airflow#71255, #72053). Here that stays a failure.
        """
        try:
            yield
        except AirflowSkipException as skip:
            error = skip.__cause__
            if self.never_fail or self._is_soft(error):
                self._log_reason(error or skip)
                raise
            error = error or AirflowSensorTimeout(str(skip))
            raise error from error.__cause__
        except (APScoresError, AirflowFailException, AirflowSensorTimeout, AirflowTaskTimeout) as error:
            # Airflow lets these pass where a sensor times out in poke mode, or resumes after its trigger.
            if self.never_fail:
                self._log_reason(error)
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def _is_soft(self, error: BaseException | None) -> bool:
        """
        Return whether nothing new in time is the reason of a skip.

        After a failed poll this is not known, nor when Airflow ended a wait that no triggerer ended (it has a cause).
        """
        timed_out = error is None or (isinstance(error, AirflowSensorTimeout) and error.__cause__ is None)
        return timed_out and (self.silent_fail or not self._failed_polls)

    def _log_reason(self, error: BaseException) -> None:
        """Log why the task is skipped: Airflow 3 logs only that it is."""
        # The text of another library may hold anything.
        known = isinstance(error, (APScoresError, AirflowException, AirflowTaskTimeout))
        self.log.info("The task is skipped: %s", error if known else type(error).__name__)

    @property
    def wait_limit(self) -> float:
        """
        Seconds that a deferred wait may take.

        Airflow 3.3 does not apply ``execution_timeout`` to a task that is deferred (apache/airflow#19382).
        """
        if self.execution_timeout is None:
            return self.timeout
        return min(self.timeout, self.execution_timeout.total_seconds())

    def _timed_out(self) -> BaseException:
        """The exception that ends a deferred wait, as Airflow ends one in the worker: the lower limit decides."""
        ended = f"nothing new within {self.wait_limit:g} seconds"
        ended += f"; the last polls failed ({self._failed_polls} in a row)." if self._failed_polls else "."
        if self.wait_limit < self.timeout:
            return AirflowTaskTimeout(f"The task exceeded its execution_timeout: {ended}")
        return AirflowSensorTimeout(f"Sensor has timed out: {ended}")

    def _defer(self) -> NoReturn:
        import pendulum

        now = time.time()
        if self._deadline is None:
            self._deadline = self._started + self.wait_limit
        if now >= self._deadline:
            raise self._timed_out()
        until = pendulum.from_timestamp(int(self._deadline)).to_iso8601_string()
        self.log.info("The triggerer continues the polling, until %s.", until)
        self.defer(
            trigger=self.make_trigger(deadline=self._deadline, failed_polls=self._failed_polls),
            method_name="execute_complete",
            kwargs={"deadline": self._deadline, "failed_polls": self._failed_polls},
            timeout=timedelta(seconds=self._deadline - now) + GRACE,
        )
        raise AssertionError("defer() raises")

    def _raise_for_event(self, event: dict[str, Any]) -> None:
        if event.get("status") == "timeout":
            raise self._timed_out()
        if event.get("status") == "error":
            # A newer version of this provider may have written the event, with an error that this version lacks.
            default = errors.ServiceUnavailable if event.get("transient") else APScoresError
            kind: type[APScoresError] = getattr(errors, str(event.get("error")), default)
            raise kind(str(event.get("message")))

    @property
    def _failure_limit(self) -> int:
        """Failed polls in a row that end the wait; 0 with ``silent_fail``: any number is tolerated."""
        return 0 if self.silent_fail else self.max_consecutive_failures

    def _poll(self, context: Context, event: dict[str, Any] | None) -> list[str] | None:
        """
        Poll, and treat a transient error as a poll that found nothing, unless it is one too many.

        A rescheduled sensor is a new process at each poll. Before Airflow 3.3 it can keep no count between them
        (XComs are cleared). There it repeats a failed poll within the process, after a pause.
        """
        store: Any = context.get("task_state_store") if self.reschedule else None
        failures = FailedPolls(self._failure_limit, self._failed_polls)
        if store is not None:
            failures.count = int(store.get(_STATE_KEY, 0))
        while True:
            try:
                found = self.poll(context, event)
            except APScoresError as error:
                if failures.end_wait(error):
                    failures.reset()  # a retry of the task starts counting from zero
                    self._keep(failures, store)
                    raise
                self._keep(failures, store)
                if not self.reschedule or store is not None or self.silent_fail:
                    return None
                time.sleep(min(self.poke_interval, _PAUSE))
            else:
                failures.reset()
                self._keep(failures, store)
                return found

    def _keep(self, failures: FailedPolls, store: Any) -> None:
        self._failed_polls = failures.count
        if store is not None and failures.count != int(store.get(_STATE_KEY, 0)):
            store.set(_STATE_KEY, failures.count)
