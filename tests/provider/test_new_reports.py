"""The sensor for new reports against a sandbox, in each of its modes."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from pytest_mock import MockerFixture

from airflow_provider_apscores.errors import (
    CampusRefused,
    ConfigurationError,
    CredentialsRefused,
    ServiceUnavailable,
)
from airflow_provider_apscores.hooks import polling
from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.sandbox import Campus, Sandbox
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor
from airflow_provider_apscores.triggers import new_reports
from airflow_provider_apscores.triggers.new_reports import APScoresNewReportsTrigger
from airflow_provider_apscores.webservice import AsyncClient, Client, Secret
from tests.provider.modes import ARGUMENTS, MODES, Store, error_of, first_event, is_error, revived, run
from tests.provider.world import fails_permanently

MANY, FEW, NONE, MUTE = "0901", "9120", "9377", "9378"
CAMPUSES = [
    Campus(MANY, "Saltmarsh University", 3),
    Campus(FEW, "Quillfeather College", 1),
    Campus(NONE, "Emberwick College of Arts"),
    Campus(MUTE, "Mutterby College"),
]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Iterator[Sandbox]:
    # Every fault is a failed poll: no call repeats its request.
    mocker.patch("airflow_provider_apscores.webservice.retries.ATTEMPTS", 1)
    with Sandbox(campuses=CAMPUSES) as sandbox:
        set_connection(monkeypatch, sandbox)
        yield sandbox


def set_connection(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, name: str = "apscores_default", **fields: Any):
    connection = json.loads(sandbox.airflow_connection) | fields
    connection["extra"] = {"verify": "false"} | connection["extra"]  # certificates take a while to load
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


def sensor(mode: str, **arguments: Any) -> APScoresNewReportsSensor:
    defaults = {"poke_interval": 0.05, "timeout": 20, **ARGUMENTS[mode]}
    return APScoresNewReportsSensor(task_id="wait", **defaults | arguments)


def wait(mode: str, events: list[Any] | None = None, **arguments: Any) -> Any:
    return run(lambda: sensor(mode, **arguments), mode, [] if events is None else events)


# One table for all modes


@dataclass
class Case:
    """Arguments, faults and later reports; the outcome, and the number of orders."""

    name: str
    expected: Any
    arguments: dict[str, Any] = field(default_factory=dict)
    faults: tuple[tuple[Any, ...], ...] = ()
    later: dict[int, str] = field(default_factory=dict)
    orders: int | None = None
    connection: dict[str, Any] = field(default_factory=dict)
    words: str = ""


def fault(what: str, call: str = "order", times: int | None = 1, **more: Any) -> tuple[Any, ...]:
    return (call, what, {"times": times, **more})


BOTH_EMPTY = {"di_codes": [NONE, MUTE]}
AT_ONCE = {"timeout": 0}
PERMANENT = (AirflowFailException,)

CASES = [
    Case("all campuses of the connection", [MANY, FEW], orders=4),
    Case("some of them, in the order given", [FEW, MANY], {"di_codes": [FEW, NONE, MANY]}, orders=3),
    Case("text", [FEW], {"di_codes": f"{NONE}, {FEW}"}, orders=2),
    Case("a list that a template turned into text", [FEW], {"di_codes": f"['{NONE}', '{FEW}']"}, orders=2),
    Case("one campus twice", [FEW], {"di_codes": [FEW, FEW]}, orders=1),
    Case("CSV", [FEW], {"di_codes": FEW, "file_format": "CSV"}, orders=1),
    Case("all have new reports at once", [MANY, FEW], {"di_codes": [MANY, FEW], "wait_for": "all"}, orders=2),
    Case("new reports come later", [MUTE], BOTH_EMPTY, later={4: MUTE}),
    Case(
        "new reports of the last one later",
        [MANY, NONE],
        {"di_codes": [MANY, NONE], "wait_for": "all"},
        later={4: NONE},
    ),
    Case("one after the other", [NONE, MUTE], BOTH_EMPTY | {"wait_for": "all"}, later={3: MUTE, 6: NONE}),
    Case("nothing in time", AirflowSensorTimeout, BOTH_EMPTY | AT_ONCE, orders=2),
    Case("not all in time", AirflowSensorTimeout, {"wait_for": "all"} | AT_ONCE, orders=4),
    Case("nothing in time, with soft_fail", AirflowSkipException, BOTH_EMPTY | AT_ONCE | {"soft_fail": True}, orders=2),
    Case("nothing for a while", AirflowSensorTimeout, BOTH_EMPTY | {"timeout": 0.3}),
    Case("nothing for a while, with soft_fail", AirflowSkipException, BOTH_EMPTY | {"timeout": 0.3, "soft_fail": True}),
    Case("nothing with never_fail", AirflowSkipException, BOTH_EMPTY | {"timeout": 0.3, "never_fail": True}),
    Case("still generating", [FEW], {"di_codes": FEW}, (fault("504"),), orders=2),
    Case("reset", [FEW], {"di_codes": FEW}, (fault("reset", times=2),)),
    Case("maintenance", [FEW], {"di_codes": FEW}, (fault("maintenance"),), orders=2),
    Case("login unavailable for a while", [FEW], {"di_codes": FEW}, (fault("503", "login", 2),), orders=1),
    Case("as many failed polls as are allowed", [FEW], {"di_codes": FEW}, (fault("500", times=4),), orders=5),
    Case("one failed poll too many", ServiceUnavailable, {"di_codes": FEW}, (fault("500", times=5),), orders=5),
    Case("failed polls are not soft", ServiceUnavailable, {"soft_fail": True}, (fault("500", times=None),)),
    Case(
        "failed polls with silent_fail",
        AirflowSensorTimeout,
        {"timeout": 0.5, "silent_fail": True},
        (fault("500", times=None),),
    ),
    Case("failed polls with never_fail", AirflowSkipException, {"never_fail": True}, (fault("500", times=None),)),
    Case(
        "one failed campus does not delay another",
        [FEW],
        {"di_codes": [MANY, FEW]},
        (fault("500", di_code=MANY),),
        orders=2,
    ),
    Case("a failed campus is polled again", [FEW], {"di_codes": [NONE, FEW]}, (fault("500", di_code=FEW),), orders=4),
    Case(
        "faults and answers in turn",
        [MUTE],
        BOTH_EMPTY | {"max_consecutive_failures": 2},
        (fault("500", di_code=NONE), fault("500", di_code=NONE, after=1)),
        {6: MUTE},
    ),
    Case("login refused", (CredentialsRefused, *PERMANENT), {}, (fault("refuse=mfa", "login", None),), orders=0),
    Case(
        "login refused, with never_fail",
        AirflowSkipException,
        {"never_fail": True},
        (fault("refuse=mfa", "login", None),),
        orders=0,
    ),
    Case("a wrong password", (CredentialsRefused, *PERMANENT), connection={"password": "wrong-Passw0rd"}, orders=0),
    Case(
        "login refused later",
        (CredentialsRefused, *PERMANENT),
        BOTH_EMPTY,
        (fault("refuse=mfa", "login", None, after=1),),
    ),
    Case("campus refused", (CampusRefused, *PERMANENT), {}, (fault("refuse=campus", di_code=NONE, times=None),)),
    Case(
        "campus refused later", (CampusRefused, *PERMANENT), BOTH_EMPTY, (fault("refuse=campus", after=4, times=None),)
    ),
    Case(
        "a campus that the connection lacks",
        (ConfigurationError, *PERMANENT),
        {"di_codes": ["4866"]},
        words="4866",
        orders=0,
    ),
    Case("no campus", (ConfigurationError, *PERMANENT), connection={"extra": {}}, words="di_codes", orders=0),
    Case("no DI code", (ConfigurationError, *PERMANENT), {"di_codes": ["901"]}, words="four digits", orders=0),
    Case("no campus at all", AirflowSkipException, {"di_codes": []}, words="no campus", orders=0),
    Case("an empty result of another task", AirflowSkipException, {"di_codes": "None"}, words="no campus", orders=0),
    Case("no such format", (ConfigurationError, *PERMANENT), {"file_format": "PDF"}, words="PDF", orders=0),
    Case(
        "no such connection",
        (ConfigurationError, *PERMANENT),
        {"apscores_conn_id": "nowhere"},
        words="nowhere",
        orders=0,
    ),
]


# Only "nothing new in time" is soft: a permanent failure fails the task with soft_fail as well.
CASES += [
    replace(case, name=f"{case.name}, with soft_fail", arguments=case.arguments | {"soft_fail": True})
    for case in CASES
    if isinstance(case.expected, tuple)
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same(mode: str, case: Case, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    set_connection(monkeypatch, sandbox, **case.connection)
    monkeypatch.setattr("airflow_provider_apscores.sensors.base._PAUSE", 0.0)
    for call, what, more in case.faults:
        sandbox.fail(call, what, **more)
    outcome: list[Any] = []

    with reports_after(sandbox, case.later):
        error = error_of(lambda: outcome.append(wait(mode, **case.arguments)))

    if isinstance(case.expected, list):
        assert error is None, error
        assert outcome == [case.expected]
    else:
        kinds = case.expected if isinstance(case.expected, tuple) else (case.expected,)
        assert all(is_error(error, kind) for kind in kinds), repr(error)
        assert isinstance(error, AirflowFailException) == (AirflowFailException in kinds)
        assert case.words in str(error)
    if case.orders is not None:
        assert sandbox.counts.get("order", 0) == case.orders
    audit = sandbox.audit()
    assert (audit.calls.get("download", 0), audit.calls.get("record", 0), audit.recorded) == (0, 0, [])
    assert sandbox.counts.get("login", 0) <= max(1, sandbox.counts.get("order", 0)) + 5


@pytest.mark.parametrize("timeout", [0, 0.3])
@pytest.mark.parametrize("mode", MODES)
def test_a_time_out_after_failed_polls_is_not_soft(
    mode: str, timeout: float, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """
    Whether there was nothing new is not known: a skip would hide that College Board does not answer.
    """
    set_connection(monkeypatch, sandbox)
    sandbox.fail("order", "500", times=None)
    arguments = BOTH_EMPTY | {"timeout": timeout, "soft_fail": True, "max_consecutive_failures": 1000}

    with pytest.raises(AirflowSensorTimeout):
        run(lambda: sensor(mode, **arguments), mode, [], Store())


def test_a_wait_that_no_triggerer_ended_is_not_soft():
    waiting = sensor("deferrable", soft_fail=True)
    error = error_of(lambda: waiting.resume_execution("__fail__", {"error": "Trigger timeout"}, {}))

    assert error is not None
    assert not isinstance(error, AirflowSkipException)


class reports_after:
    """Issue reports after so many orders, from a thread."""

    def __init__(self, sandbox: Sandbox, later: dict[int, str]) -> None:
        self._sandbox, self._later = sandbox, dict(sorted(later.items()))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        for orders, di_code in self._later.items():
            while self._sandbox.counts.get("order", 0) < orders:
                if self._end.wait(0.002):
                    return
            self._sandbox.add_reports(di_code)


# What a poll costs College Board


@pytest.mark.parametrize("mode", MODES)
def test_a_poll_of_many_campuses_is_one_login(mode: str, monkeypatch: pytest.MonkeyPatch):
    campuses = [Campus(f"{1000 + number}", f"College {number}", number % 2) for number in range(20)]
    with Sandbox(campuses=campuses) as sandbox:
        set_connection(monkeypatch, sandbox)

        found = run_poll(mode, APScoresHook())

        assert (found.new, found.none) == (
            tuple(f"{1000 + number}" for number in range(1, 20, 2)),
            tuple(f"{1000 + number}" for number in range(0, 20, 2)),
        )
        assert (sandbox.counts["login"], sandbox.counts["order"]) == (1, 20)


def test_the_orders_of_a_poll_run_at_the_same_time(sandbox: Sandbox, mocker: MockerFixture):
    together = threading.Barrier(len(CAMPUSES), timeout=10)
    mocker.patch.object(Client, "order", side_effect=lambda *_, **__: together.wait() and None)

    assert len(polling.poll(APScoresHook(), (), "TXT").campuses) == len(CAMPUSES)


async def test_the_orders_of_an_asynchronous_poll_run_at_the_same_time(sandbox: Sandbox, mocker: MockerFixture):
    together = asyncio.Barrier(len(CAMPUSES))

    async def order(*_: Any, **__: Any) -> None:
        async with asyncio.timeout(10):
            await together.wait()

    mocker.patch.object(AsyncClient, "order", side_effect=order)

    assert (await polling.poll_async(APScoresHook(), (), "TXT")).none == tuple(each.di_code for each in CAMPUSES)


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_poll_ends_even_if_a_campus_never_gets_an_answer(mode: str, sandbox: Sandbox, mocker: MockerFixture):
    """
    The client and its own time limits are out of the way: the poll has a limit of its own.
    """
    mocker.patch.object(polling, "_time_limit", return_value=2.0)
    end, order, order_async = threading.Event(), Client.order, AsyncClient.order

    def slow(client: Client, di_code: str, **options: Any) -> Any:
        return end.wait(60) if di_code == MUTE else order(client, di_code, **options)

    async def slow_async(client: AsyncClient, di_code: str, **options: Any) -> Any:
        return await (asyncio.sleep(60) if di_code == MUTE else order_async(client, di_code, **options))

    mocker.patch.object(Client, "order", slow)
    mocker.patch.object(AsyncClient, "order", slow_async)

    found = run_poll(mode, APScoresHook())
    end.set()

    assert (found.new, found.none, list(found.failed)) == ((MANY, FEW), (NONE,), [MUTE])
    assert found.error is not None
    assert found.error.transient


def run_poll(mode: str, hook: APScoresHook) -> polling.PollResult:
    if mode == "deferrable":
        return asyncio.run(polling.poll_async(hook, (), "TXT"))
    return polling.poll(hook, (), "TXT")


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_masking_that_takes_its_time_makes_no_second_login(
    mode: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """
    In a real triggerer, a message to another process masks the password before the login.
    """
    pauses = iter([0.0, 0.2] * 100)

    async def amask(secret: Secret) -> None:
        await asyncio.sleep(next(pauses))

    monkeypatch.setattr("airflow_provider_apscores.hooks.apscores._amask", amask)
    monkeypatch.setattr("airflow_provider_apscores.hooks.apscores._mask", lambda secret: time.sleep(next(pauses)))

    run_poll(mode, APScoresHook())

    assert (sandbox.counts["login"], sandbox.counts["order"]) == (1, 4)


def test_a_triggerer_does_not_collect_masks(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    """
    Airflow keeps every mask and checks each log line of the process against all of them.
    """
    masked: set[Secret] = set()

    async def amask(secret: Secret) -> None:
        masked.add(secret)

    monkeypatch.setattr("airflow_provider_apscores.hooks.apscores._amask", amask)

    for _ in range(3):
        run_poll("deferrable", APScoresHook())

    assert sandbox.counts["login"] == 3
    assert masked == {Secret(sandbox.password), Secret(base64.b64encode(sandbox.password.encode()).decode())}


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_campus_with_new_reports_is_not_polled_again(mode: str, sandbox: Sandbox):
    with reports_after(sandbox, {6: NONE}):
        assert wait(mode, di_codes=[MANY, NONE], wait_for="all") == [MANY, NONE]

    assert sandbox.audit().calls_by_campus[MANY]["order"] == 1


def test_a_refused_login_is_not_repeated_for_other_campuses(sandbox: Sandbox):
    sandbox.fail("login", "refuse=password", times=None)

    with fails_permanently(CredentialsRefused):
        wait("poke")

    assert sandbox.counts == {"login": 1} | {key: 0 for key in sandbox.counts if key != "login"}


def test_the_minimum_interval_applies_to_services_on_other_machines(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    """
    Five minutes, in the worker and in the trigger, unless the user sets another minimum.
    """
    near = sensor("deferrable", di_codes=NONE, poke_interval=1)
    with pytest.raises(TaskDeferred) as deferred:
        near.execute({})
    assert 1 <= near.poke_interval <= 1.2
    assert asyncio.run(deferred.value.trigger._allowed_interval()) == 1

    set_connection(monkeypatch, sandbox, host="https://college-board.invalid/api")
    far = sensor("poke", di_codes=NONE, poke_interval=1, max_consecutive_failures=9)
    assert far.poke({}).is_done is False
    assert 300 <= far.poke_interval <= 360
    assert asyncio.run(APScoresNewReportsTrigger(poke_interval=1)._allowed_interval()) * (1 - polling.JITTER) == 300
    assert asyncio.run(APScoresNewReportsTrigger(poke_interval=3600)._allowed_interval()) == 3600
    assert asyncio.run(APScoresNewReportsTrigger(poke_interval=20, minimum_interval=0)._allowed_interval()) == 20
    custom = sensor("poke", di_codes=NONE, poke_interval=1, minimum_interval=timedelta(seconds=10))
    custom.poke({})
    assert 10 <= custom.poke_interval <= 12


def test_sensors_do_not_poll_in_step_and_a_restart_changes_no_timetable():
    times = [polling.next_poll(1000.0 + each / 100, 3600.0, 1000.0) for each in range(200)]
    assert all(4600 <= each <= 1002 + 3600 * 1.2 for each in times)
    assert max(times) - min(times) > 300

    # A triggerer that restarts every ten seconds: the polls keep their times, and none is left out.
    polls = sorted({polling.next_poll(1000.0, 3600.0, now) for now in range(1000, 1000 + 3600 * 50, 10)})
    assert len(polls) == 50
    assert all(0 <= due - (1000 + 3600 * number) <= 720 for number, due in enumerate(polls, 1))
    assert polling.next_poll(1000.0, 3600.0, 1000.0 + 3600 * 100.5) >= 1000 + 3600 * 101


async def test_a_clock_that_was_set_back_repeats_no_poll(mocker: MockerFixture):
    """
    The clock is set back by a second, right after the first poll.
    """
    due = polling.next_poll(1000.0, 3600.0, 1000.0)
    sleep = mocker.AsyncMock()
    clock = iter([1000.0, due, due - 1, due - 1])
    mocker.patch.object(new_reports, "asyncio", SimpleNamespace(sleep=sleep))
    mocker.patch.object(new_reports, "time", SimpleNamespace(time=lambda: next(clock)))
    mocker.patch.object(
        new_reports, "poll_async", side_effect=[polling.PollResult((NONE,), none=(NONE,)), CampusRefused("stop")]
    )

    events = [event async for event in APScoresNewReportsTrigger(di_codes=NONE, last_poll=1000.0).run()]

    assert events[0].payload["error"] == "CampusRefused"
    assert sleep.call_args_list[1].args[0] > 3600 * 0.8


# The trigger


def test_the_deferred_trigger_has_the_state_of_the_wait(sandbox: Sandbox):
    sandbox.fail("order", "500", di_code=MUTE)
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        sensor("deferrable", di_codes=[MANY, NONE, MUTE], wait_for="all", timeout=600).execute({})

    _path, kwargs = deferred.value.trigger.serialize()
    assert before <= kwargs.pop("last_poll") <= time.time()
    assert before + 600 <= kwargs.pop("deadline") <= time.time() + 600
    assert kwargs == {
        "di_codes": f"{MANY},{NONE},{MUTE}",
        "wait_for": "all",
        "found": MANY,
        "file_format": "TXT",
        "poke_interval": 0.05,
        "minimum_interval": 300.0,
        "timeout": None,
        "failed_polls": 1,
        "max_consecutive_failures": 5,
        "apscores_conn_id": "apscores_default",
    }


def test_a_trigger_sleeps_before_its_first_poll(sandbox: Sandbox):
    start = time.monotonic()

    assert first_event(APScoresNewReportsTrigger(di_codes=FEW, poke_interval=0.5)) == {
        "status": "found",
        "di_codes": [FEW],
    }
    assert time.monotonic() - start >= 0.5
    assert (sandbox.counts["login"], sandbox.counts["order"]) == (1, 1)


def test_a_triggerer_that_dies_during_a_poll_leaves_nothing_behind(sandbox: Sandbox):
    """
    The trigger is cancelled during a slow answer, then created again from the database.
    """
    sandbox.fail("order", "slow=30", di_code=FEW)
    trigger = APScoresNewReportsTrigger(di_codes=f"{NONE},{FEW}", poke_interval=0.01, deadline=time.time() + 60)

    async def die() -> list[asyncio.Task[Any]]:
        running = asyncio.create_task(anext(trigger.run()))
        while sandbox.counts.get("order", 0) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(die()) == []
    sandbox.clear_faults()
    assert first_event(trigger) == {"status": "found", "di_codes": [FEW]}


def test_a_trigger_that_starts_late_polls_once_more_but_not_twice(sandbox: Sandbox):
    late = {"last_poll": time.time() - 4000, "deadline": time.time() - 60}

    assert first_event(APScoresNewReportsTrigger(di_codes=FEW, **late)) == {"status": "found", "di_codes": [FEW]}
    assert first_event(APScoresNewReportsTrigger(di_codes=NONE, **late)) == {"status": "timeout"}
    assert sandbox.counts["order"] == 2
    just_polled = {"last_poll": time.time(), "deadline": time.time() + 0.1}
    assert first_event(APScoresNewReportsTrigger(di_codes=FEW, **just_polled)) == {"status": "timeout"}
    assert sandbox.counts["order"] == 2


def test_a_silent_service_delays_neither_the_loop_nor_the_deadline(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(new_reports, "_LAST_POLL", 0.2)
    sandbox.fail("order", "slow=30", times=None)
    trigger = APScoresNewReportsTrigger(di_codes=FEW, poke_interval=0.01, deadline=time.time() + 1)
    beats: list[float] = []

    async def heartbeat() -> None:
        while True:
            await asyncio.sleep(0.01)
            beats.append(time.time())

    async def both() -> Any:
        beating = asyncio.create_task(heartbeat())
        payloads = [event.payload async for event in trigger.run()]
        beating.cancel()
        return payloads

    assert asyncio.run(asyncio.wait_for(both(), 20)) == [{"status": "timeout", "failed_polls": 1}]
    assert len(beats) > 20


def test_a_trigger_can_start_without_a_poll_in_a_worker(sandbox: Sandbox):
    task = sensor("deferrable", di_codes=[NONE, FEW], start_from_trigger=True, timeout=timedelta(days=3))
    arguments = task.start_trigger_args

    assert task.start_from_trigger is True
    assert (arguments.next_method, arguments.timeout) == ("execute_complete", timedelta(days=3, minutes=5))
    trigger = APScoresNewReportsTrigger(**arguments.trigger_kwargs)
    assert arguments.trigger_cls == trigger.serialize()[0]
    event = first_event(revived(trigger))
    assert sensor("deferrable").resume_execution("execute_complete", {"event": event}, {}) == [FEW]
    assert sensor("poke").start_from_trigger is False


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_wait_that_starts_in_the_triggerer_ends_like_any_other(soft_fail: bool, sandbox: Sandbox):
    task = sensor("deferrable", di_codes=NONE, start_from_trigger=True, timeout=0.3, soft_fail=soft_fail)
    event = first_event(APScoresNewReportsTrigger(**task.start_trigger_args.trigger_kwargs))

    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
        task.resume_execution("execute_complete", {"event": event}, {})


def test_an_event_of_another_version_or_no_event_is_another_poll(sandbox: Sandbox):
    assert sensor("deferrable", di_codes=FEW).execute_complete({}) == [FEW]
    strange = {"status": "error", "error": "NewKind", "message": "what to do"}
    with pytest.raises(AirflowFailException, match="what to do"):
        sensor("deferrable").execute_complete({}, strange)


@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_logged(
    mode: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    events: list[Any] = []
    sandbox.fail("order", "500", di_code=NONE)
    with reports_after(sandbox, {4: NONE}):
        assert wait(mode, events, di_codes=[NONE, MUTE]) == [NONE]
    sandbox.fail("login", "refuse=password", times=None)
    with fails_permanently(CredentialsRefused) as refused:
        wait(mode, events)

    output = capfd.readouterr()
    output_text = caplog.text + output.out + output.err + json.dumps(events) + repr(refused.value)
    assert f"none for {MUTE}" in output_text
    for secret in (sandbox.password, base64.b64encode(sandbox.password.encode()).decode(), "Signature", "authToken"):
        assert secret not in output_text


def test_an_unexpected_exception_is_a_failed_poll_without_its_text(sandbox: Sandbox, mocker: MockerFixture):
    mocker.patch.object(new_reports, "poll_async", side_effect=RuntimeError("hunter2"))
    event = first_event(APScoresNewReportsTrigger(di_codes=FEW, poke_interval=0, max_consecutive_failures=2))

    assert event["transient"] is True
    assert "RuntimeError" in event["message"]
    assert "hunter2" not in json.dumps(event)
    with pytest.raises(ServiceUnavailable):
        sensor("deferrable").execute_complete({}, event)


@pytest.mark.parametrize("transient", [True, False])
def test_an_error_of_another_version_is_as_transient_as_its_event_says(transient: bool):
    event = {"status": "error", "error": "Unheard", "message": "what to do", "transient": transient}

    error = error_of(lambda: sensor("deferrable").execute_complete({}, event))

    assert (isinstance(error, AirflowFailException), str(error)) == (not transient, "what to do")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"wait_for": "most"}, "wait_for"),
        ({"max_consecutive_failures": 0}, "max_consecutive_failures"),
        ({"di_codes": ["901"], "deferrable": True, "start_from_trigger": True}, "four digits"),
        ({"di_codes": "{{ params.codes }}", "deferrable": True, "start_from_trigger": True}, "no template"),
        ({"di_codes": [], "deferrable": True, "start_from_trigger": True}, "literal DI codes"),
    ],
)
def test_wrong_arguments_fail_when_the_dag_is_parsed(arguments: dict[str, Any], words: str):
    with pytest.raises((ValueError, ConfigurationError), match=words):
        APScoresNewReportsSensor(task_id="wait", **arguments)
