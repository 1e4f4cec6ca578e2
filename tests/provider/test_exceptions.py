"""What the log of a task says, and where the traceback ends when it fails permanently."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)

from airflow_provider_apscores import errors
from airflow_provider_apscores.hooks.exceptions import airflow_exceptions
from airflow_provider_apscores.operators.parse import APScoresParseOperator
from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor
from airflow_provider_apscores.sensors.notification_email import APScoresNotificationEmailSensor
from tests.provider.modes import ARGUMENTS, MODES, error_of, run
from tests.provider.world import EMBERWICK, SALTMARSH, World, task_instance

Logged = Callable[[], str]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Logged:
    """What was logged so far. The loggers of tasks of Airflow 3 do not pass their lines on to others."""
    caplog.set_level("INFO")
    return lambda: caplog.text + capfd.readouterr().out


def test_the_log_has_a_line_for_each_step(world: World, logged: Logged):
    reference = world.download(record=False)
    world.record(reference)

    steps = [
        "Logged in to College Board at 127.0.0.1.",
        f"College Board generated a new TXT file for campus {SALTMARSH}: {reference['file_name']}, "
        f"download {reference['download_id']}.",
        "Downloaded 11,412 bytes in ",
        f"Verified 12 student records: each is whole and of campus {SALTMARSH}.",
        f"Landed {reference['uri']}.",
        f"Verified {reference['uri']}: it is as it was landed.",
        f"Recorded download {reference['download_id']} of campus {SALTMARSH}: College Board will not send these "
        "12 reports as new again.",
    ]
    text = logged()
    assert [step for step in steps if step not in text] == []


def test_a_permanent_error_is_logged_in_short_lines_with_one_cause_each(world: World, caplog: pytest.LogCaptureFixture):
    world.sandbox.fail("login", "refuse=locked", times=None)

    with pytest.raises(AirflowFailException) as caught:
        world.download()

    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    causes = ["password has expired", "multifactor", "site terms", "access code", "wrong passwords lock accounts"]
    assert [sum(cause in line for line in lines) for cause in causes] == [1] * len(causes)
    assert [line for line in lines if sum(cause in line for cause in causes) > 1 or len(line) > 130] == []
    assert [line for line in lines if line.startswith("- ")] == [
        "- the password has expired or was changed",
        "- multifactor authentication (MFA) is switched on",
        "- the site terms have not been accepted",
        "- the role that comes with the institution's access code is missing.",
    ]
    assert str(caught.value) == str(caught.value.__cause__)


def test_a_sentence_with_a_semicolon_stays_in_one_line(world: World, caplog: pytest.LogCaptureFixture):
    with pytest.raises(AirflowFailException):
        world.download("4866")

    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert lines[0].endswith("; nothing was sent.")
    assert lines[1:] == ["Add it to di_codes if it should be."]


def test_the_traceback_of_a_permanent_error_ends_at_execute(world: World):
    world.sandbox.fail("login", "refuse=locked", times=None)

    with pytest.raises(AirflowFailException) as caught:
        world.download()

    shown = "".join(traceback.format_exception(caught.value))
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    # Below it are only those of the context manager that turns errors into Airflow's.
    assert frames[frames.index("execute") + 1 :][-2:] == ["__exit__", "airflow_exceptions"]
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is None
    assert "webservice/session.py" not in shown


def test_the_causes_of_a_permanent_error_are_not_shown():
    library = OSError("words of a library")
    with pytest.raises(AirflowFailException) as caught, airflow_exceptions():
        raise errors.ConfigurationError("Set output to a folder.") from library

    assert "words of a library" not in "".join(traceback.format_exception(caught.value))


def test_a_transient_error_keeps_its_traceback():
    with pytest.raises(errors.ServiceUnavailable) as caught, airflow_exceptions():
        raise errors.ServiceUnavailable("later")

    assert caught.value.__traceback__ is not None


@pytest.mark.parametrize(
    ("skip", "reason"),
    [
        (lambda world: world.download(EMBERWICK), "no new score reports for campus 9377"),
        (lambda world: world.record(None), "no download to record"),
        (
            lambda world: APScoresParseOperator(task_id="parse", source=None, output="/srv/tables").execute(
                {"ti": task_instance("parse")}
            ),
            "no score file to parse",
        ),
        (
            lambda world: APScoresNewReportsSensor(task_id="wait", di_codes=[], deferrable=False).execute({}),
            "di_codes is empty",
        ),
    ],
    ids=["download", "record", "parse", "wait"],
)
def test_the_reason_of_a_skip_is_logged(world: World, logged: Logged, skip: Callable[[World], Any], reason: str):
    with pytest.raises(AirflowSkipException):
        skip(world)

    assert reason in logged()


@pytest.mark.parametrize("mode", MODES)
def test_the_reason_of_a_soft_failure_is_logged(world: World, logged: Logged, mode: str):
    def sensor() -> APScoresNewReportsSensor:
        arguments = ARGUMENTS[mode] | {"poke_interval": 0.1, "timeout": 0.3, "soft_fail": True}
        return APScoresNewReportsSensor(task_id="wait", di_codes=EMBERWICK, **arguments)

    assert isinstance(error_of(lambda: run(sensor, mode, [])), AirflowSkipException)
    assert "Sensor has timed out" in logged()


# execution_timeout


def waiting(**arguments: Any) -> APScoresNewReportsSensor:
    return APScoresNewReportsSensor(
        task_id="wait", di_codes=EMBERWICK, deferrable=True, **{"poke_interval": 0.1, "timeout": 600} | arguments
    )


def test_execution_timeout_ends_a_deferred_wait(world: World):
    """
    Airflow 3.3 does not apply it while a task is deferred (apache/airflow#19382). The task may be retried.
    """
    events: list[Any] = []
    with pytest.raises(AirflowTaskTimeout, match=r"execution_timeout: nothing new within 0\.5 seconds"):
        run(lambda: waiting(execution_timeout=timedelta(seconds=0.5)), "deferrable", events)

    assert events == [{"status": "timeout"}]


@pytest.mark.parametrize("soft_fail", [False, True])
def test_execution_timeout_is_no_soft_failure(world: World, soft_fail: bool):
    limits = {"execution_timeout": timedelta(seconds=0.3), "soft_fail": soft_fail}

    with pytest.raises(AirflowTaskTimeout):
        run(lambda: waiting(**limits), "deferrable", [])


def test_never_fail_covers_execution_timeout(world: World):
    limits = {"execution_timeout": timedelta(seconds=0.3), "never_fail": True}

    assert isinstance(error_of(lambda: run(lambda: waiting(**limits), "deferrable", [])), AirflowSkipException)


def test_a_longer_execution_timeout_changes_nothing(world: World):
    limits = {"execution_timeout": timedelta(hours=1), "timeout": 0.3}

    assert isinstance(error_of(lambda: run(lambda: waiting(**limits), "deferrable", [])), AirflowSensorTimeout)


def test_the_limit_reaches_airflow_and_the_trigger(world: World):
    with pytest.raises(TaskDeferred) as deferred:
        waiting(execution_timeout=timedelta(minutes=1)).execute({"ti": task_instance("wait")})

    assert deferred.value.timeout is not None
    assert deferred.value.timeout <= timedelta(minutes=6)
    started = waiting(execution_timeout=timedelta(minutes=1), start_from_trigger=True)
    assert started.start_trigger_args.trigger_kwargs["timeout"] == 60


def test_the_limit_holds_for_the_notification_email_too():
    sensor = APScoresNotificationEmailSensor(
        task_id="wait", campus_patterns={"0901": "x"}, execution_timeout=timedelta(minutes=1), timeout=600
    )

    assert sensor.wait_limit == 60
    assert APScoresRecordDownloadOperator(task_id="record", download=None).execution_timeout is None
