"""What makes a sensor behave the same in poke, reschedule and deferrable mode: results, skips, errors, patience."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_apscores import errors
from airflow_provider_apscores.errors import APScoresError
from airflow_provider_apscores.hooks.exceptions import airflow_exceptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)

# The trigger ends the wait at the deadline by itself; Airflow does so that much later if no triggerer is alive.
GRACE = timedelta(minutes=5)
# Where Airflow keeps something between the looks of a rescheduled sensor (3.3), this is its name.
_STATE_KEY = "apscores.missed_looks"
_PAUSE = 30.0


class PatientSensor(BaseSensorOperator):
    """
    A sensor that looks, defers where asked, and takes a passing fault as a missed look.

    Every look is a ``poke``, also the first one of a deferrable sensor, which leaves from there, and what the trigger
    found, which is a look made for us. So every mode has the errors, skips and patience of one method.

    :param max_consecutive_failures: that many failed looks in a row fail the task; fewer are missed looks.
    :param deferrable: wait in the triggerer; ``mode`` does not matter then.
    """

    def __init__(self, *, max_consecutive_failures: int = 5, deferrable: bool = DEFERRABLE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_consecutive_failures < 1:
            raise ValueError("max_consecutive_failures must be at least 1.")
        self.max_consecutive_failures = max_consecutive_failures
        self.deferrable = deferrable
        if deferrable:
            self.mode = "poke"
        self._missed = 0
        self._deadline: float | None = None
        self._event: dict[str, Any] | None = None

    @abstractmethod
    def look(self, context: Context, event: dict[str, Any] | None) -> list[str] | None:
        """
        Look once, in the worker.

        :param event: what the trigger found, or None for a look of one's own.
        :return: the campuses that have news, or None to go on waiting.
        """

    @abstractmethod
    def make_trigger(self, *, deadline: float, missed: int) -> BaseTrigger:
        """
        Return what goes on looking in the triggerer.

        :param deadline: seconds since 1970 at which the wait ends.
        :param missed: failed looks in a row up to now.
        """

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once. Without news, a deferrable sensor leaves from here."""
        event, self._event = self._event, None
        with airflow_exceptions():
            _raise_what_the_trigger_met(event or {}, self.timeout)
            di_codes = self._patiently(context, lambda: self.look(context, event))
        if di_codes:
            return PokeReturnValue(True, di_codes)
        if self.deferrable:
            self._leave()
        return PokeReturnValue(False)

    def execute(self, context: Context) -> Any:
        """Wait. Airflow's own ``never_fail`` lets a time-out fail, except where the sensor was deferred."""
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            if self.never_fail:
                raise AirflowSkipException(_skipped("never_fail")) from error
            raise

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        deadline: float | None = None,
        missed: int = 0,
    ) -> Any:
        """
        Go on after the trigger: finish with what it found, or fail with what it met.

        The errors of this look become skips as in the ``execute`` of Airflow's sensor, which may only be called by
        Airflow itself.
        """
        self._event, self._deadline, self._missed = event, deadline, missed
        try:
            return self.poke(context).xcom_value
        except AirflowSkipException:
            raise
        except Exception as error:
            for_good = isinstance(error, (AirflowSensorTimeout, AirflowFailException))
            if self.never_fail or (self.soft_fail and for_good):
                raise AirflowSkipException(_skipped("soft_fail" if self.soft_fail else "never_fail")) from error
            raise

    def _leave(self) -> NoReturn:
        now = time.time()
        if self._deadline is None:
            self._deadline = now + self.timeout
        if now >= self._deadline:
            raise AirflowSensorTimeout(_timed_out(self.timeout))
        self.defer(
            trigger=self.make_trigger(deadline=self._deadline, missed=self._missed),
            method_name="execute_complete",
            kwargs={"deadline": self._deadline, "missed": self._missed},
            timeout=timedelta(seconds=self._deadline - now) + GRACE,
        )
        raise AssertionError("defer() raises")

    def _patiently(self, context: Context, look: Callable[[], list[str] | None]) -> list[str] | None:
        """
        Look, and take a passing fault as a look without news, unless there were too many in a row.

        A rescheduled sensor is a new process at each look. Before Airflow 3.3 nothing can be kept between them (XComs
        are cleared), so there a failed look is made again at once, after a pause, until it is a success or one too
        many.
        """
        store: Any = context.get("task_state_store") if self.reschedule else None
        if store is not None:
            self._missed = int(store.get(_STATE_KEY, 0))
        while True:
            try:
                found = look()
            except APScoresError as error:
                if not error.transient:
                    raise
                self._missed += 1
                at_end = self._missed >= self.max_consecutive_failures
                if store is not None:
                    # A retry of the task starts counting anew.
                    store.set(_STATE_KEY, 0 if at_end else self._missed)
                if at_end and not self.silent_fail:
                    raise
                self.log.warning("A missed look, %d in a row: %s", self._missed, error)
                if at_end or not self.reschedule or store is not None:
                    return None
                time.sleep(min(self.poke_interval, _PAUSE))
            else:
                if store is not None and self._missed:
                    store.set(_STATE_KEY, 0)
                self._missed = 0
                return found


def _raise_what_the_trigger_met(event: dict[str, Any], timeout: float) -> None:
    if event.get("status") == "timeout":
        raise AirflowSensorTimeout(_timed_out(timeout))
    if event.get("status") == "error":
        # An event of another version of this provider may name an error that this one has not.
        otherwise = errors.ServiceUnavailable if event.get("transient") else APScoresError
        kind: type[APScoresError] = getattr(errors, str(event.get("error")), otherwise)
        raise kind(str(event.get("message")))


def _skipped(option: str) -> str:
    return f"Skipping due to {option} is set to True."


def _timed_out(timeout: float) -> str:
    return f"Sensor has timed out: nothing new within {timeout:g} seconds."
