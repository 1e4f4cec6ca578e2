"""The sensor for new reports against a sandbox College Board, in each of its modes."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_apscores.errors import (
    CampusRefused,
    ConfigurationError,
    CredentialsRefused,
    ServiceUnavailable,
)
from airflow_provider_apscores.hooks import polling as news
from airflow_provider_apscores.hooks.apscores import APScoresHook
from airflow_provider_apscores.sandbox import Campus, Sandbox
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor
from airflow_provider_apscores.triggers import new_reports
from airflow_provider_apscores.triggers.new_reports import APScoresNewReportsTrigger
from tests.provider.modes import ARGUMENTS, MODES, error_of, first_event, is_error, revived, run
from tests.provider.world import fails_permanently

MANY, FEW, NONE, MUTE = "0901", "9120", "9377", "9378"
CAMPUSES = [
    Campus(MANY, "Saltmarsh University", 3),
    Campus(FEW, "Quillfeather College", 1),
    Campus(NONE, "Emberwick College of Arts"),
    Campus(MUTE, "Mutterby College"),
]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # Every fault is a missed look: none is sat out within a call.
    monkeypatch.setattr(news, "SHORTEST_PATIENCE", 0.0)
    with Sandbox(campuses=CAMPUSES) as sandbox:
        set_connection(monkeypatch, sandbox)
        yield sandbox


def set_connection(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, name: str = "apscores_default", **fields: Any):
    connection = json.loads(sandbox.airflow_connection) | fields
    connection["extra"] = {"verify": "false"} | connection["extra"]  # certificates take a while to load
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


def sensor(mode: str, **arguments: Any) -> APScoresNewReportsSensor:
    defaults = {"poke_interval": 0.05, "timeout": 20, **ARGUMENTS[mode]}
    return APScoresNewReportsSensor(task_id="news", **defaults | arguments)


def wait(mode: str, events: list[Any] | None = None, **arguments: Any) -> Any:
    return run(lambda: sensor(mode, **arguments), mode, [] if events is None else events)


# One table for all modes


@dataclass
class Case:
    """Arguments, faults and later news; what comes of them, and how many orders and logins there are at least."""

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
FOR_GOOD = (AirflowFailException,)

CASES = [
    Case("all campuses of the connection", [MANY, FEW], orders=4),
    Case("some of them, in the order given", [FEW, MANY], {"di_codes": [FEW, NONE, MANY]}, orders=3),
    Case("text", [FEW], {"di_codes": f"{NONE}, {FEW}"}, orders=2),
    Case("a list that a template made text of", [FEW], {"di_codes": f"['{NONE}', '{FEW}']"}, orders=2),
    Case("one campus twice", [FEW], {"di_codes": [FEW, FEW]}, orders=1),
    Case("CSV", [FEW], {"di_codes": FEW, "file_format": "CSV"}, orders=1),
    Case("all have news at once", [MANY, FEW], {"di_codes": [MANY, FEW], "wait_for": "all"}, orders=2),
    Case("news comes later", [MUTE], BOTH_EMPTY, later={4: MUTE}),
    Case("the last one gets news later", [MANY, NONE], {"di_codes": [MANY, NONE], "wait_for": "all"}, later={4: NONE}),
    Case("one after the other", [NONE, MUTE], BOTH_EMPTY | {"wait_for": "all"}, later={3: MUTE, 6: NONE}),
    Case("nothing in time", AirflowSensorTimeout, BOTH_EMPTY | AT_ONCE, orders=2),
    Case("not all in time", AirflowSensorTimeout, {"wait_for": "all"} | AT_ONCE, orders=4),
    Case("nothing in time, softly", AirflowSkipException, BOTH_EMPTY | AT_ONCE | {"soft_fail": True}, orders=2),
    Case("nothing for a while", AirflowSensorTimeout, BOTH_EMPTY | {"timeout": 0.3}),
    Case("nothing for a while, softly", AirflowSkipException, BOTH_EMPTY | {"timeout": 0.3, "soft_fail": True}),
    Case("nothing, and never a failure", AirflowSkipException, BOTH_EMPTY | {"timeout": 0.3, "never_fail": True}),
    Case("still generating", [FEW], {"di_codes": FEW}, (fault("504"),), orders=2),
    Case("reset", [FEW], {"di_codes": FEW}, (fault("reset", times=2),)),
    Case("maintenance", [FEW], {"di_codes": FEW}, (fault("maintenance"),), orders=2),
    Case("no login for a while", [FEW], {"di_codes": FEW}, (fault("503", "login", 2),), orders=1),
    Case("as many missed looks as may be", [FEW], {"di_codes": FEW}, (fault("500", times=4),), orders=5),
    Case("one missed look too many", ServiceUnavailable, {"di_codes": FEW}, (fault("500", times=5),), orders=5),
    Case("missed looks are no soft matter", ServiceUnavailable, {"soft_fail": True}, (fault("500", times=None),)),
    Case(
        "missed looks, in silence",
        AirflowSensorTimeout,
        {"timeout": 0.5, "silent_fail": True},
        (fault("500", times=None),),
    ),
    Case("missed looks, and never a failure", AirflowSkipException, {"never_fail": True}, (fault("500", times=None),)),
    Case(
        "one campus in trouble holds up no other",
        [FEW],
        {"di_codes": [MANY, FEW]},
        (fault("500", di_code=MANY),),
        orders=2,
    ),
    Case(
        "a campus in trouble is asked again", [FEW], {"di_codes": [NONE, FEW]}, (fault("500", di_code=FEW),), orders=4
    ),
    Case(
        "faults in turn with answers",
        [MUTE],
        BOTH_EMPTY | {"max_consecutive_failures": 2},
        (fault("500", di_code=NONE), fault("500", di_code=NONE, after=1)),
        {6: MUTE},
    ),
    Case("no login", (CredentialsRefused, *FOR_GOOD), {}, (fault("refuse=mfa", "login", None),), orders=0),
    Case(
        "no login, softly", AirflowSkipException, {"soft_fail": True}, (fault("refuse=mfa", "login", None),), orders=0
    ),
    Case("a wrong password", (CredentialsRefused, *FOR_GOOD), connection={"password": "wrong-Passw0rd"}, orders=0),
    Case("no login later", (CredentialsRefused, *FOR_GOOD), BOTH_EMPTY, (fault("refuse=mfa", "login", None, after=1),)),
    Case("a campus of others", (CampusRefused, *FOR_GOOD), {}, (fault("refuse=campus", di_code=NONE, times=None),)),
    Case(
        "no longer our campus", (CampusRefused, *FOR_GOOD), BOTH_EMPTY, (fault("refuse=campus", after=4, times=None),)
    ),
    Case(
        "a campus that the connection lacks",
        (ConfigurationError, *FOR_GOOD),
        {"di_codes": ["4866"]},
        words="4866",
        orders=0,
    ),
    Case("no campus", (ConfigurationError, *FOR_GOOD), connection={"extra": {}}, words="di_codes", orders=0),
    Case("no DI code", (ConfigurationError, *FOR_GOOD), {"di_codes": ["901"]}, words="four digits", orders=0),
    Case("no campus at all", AirflowSkipException, {"di_codes": []}, words="no campus", orders=0),
    Case("nothing of another task", AirflowSkipException, {"di_codes": "None"}, words="no campus", orders=0),
    Case("no such format", (ConfigurationError, *FOR_GOOD), {"file_format": "PDF"}, words="PDF", orders=0),
    Case(
        "no such connection",
        (ConfigurationError, *FOR_GOOD),
        {"apscores_conn_id": "nowhere"},
        words="nowhere",
        orders=0,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same(mode: str, case: Case, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    set_connection(monkeypatch, sandbox, **case.connection)
    monkeypatch.setattr("airflow_provider_apscores.sensors.base._PAUSE", 0.0)
    for call, what, more in case.faults:
        sandbox.fail(call, what, **more)
    outcome: list[Any] = []

    with news_after(sandbox, case.later):
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


class news_after:
    """Issue reports when so many orders have come, from a thread."""

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


# What a look costs College Board


@pytest.mark.parametrize("mode", MODES)
def test_a_look_at_many_campuses_is_one_login_and_many_orders_at_once(mode: str, monkeypatch: pytest.MonkeyPatch):
    """
    Twenty campuses, a second each: one after the other they could not take less than twenty.
    """
    campuses = [Campus(f"{1000 + number}", f"College {number}", number % 2) for number in range(20)]
    with Sandbox(campuses=campuses) as sandbox:
        set_connection(monkeypatch, sandbox)
        sandbox.fail("order", "slow=1", times=None)
        start = time.monotonic()

        found = run_look(mode, APScoresHook())

        assert time.monotonic() - start < 15
        assert (found.news, found.nothing) == (
            tuple(f"{1000 + number}" for number in range(1, 20, 2)),
            tuple(f"{1000 + number}" for number in range(0, 20, 2)),
        )
        assert (sandbox.counts["login"], sandbox.counts["order"]) == (1, 20)


def run_look(mode: str, hook: APScoresHook) -> news.Look:
    if mode == "deferrable":
        return asyncio.run(news.look_async(hook, (), "TXT"))
    return news.look(hook, (), "TXT")


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_masking_that_takes_its_time_makes_no_second_login(
    mode: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """
    In a real triggerer, the password is masked by a message to another process before anybody logs in.
    """
    pauses = iter([0.0, 0.2] * 100)

    async def amask(secret: str) -> None:
        await asyncio.sleep(next(pauses))

    monkeypatch.setattr("airflow_provider_apscores.hooks.apscores._amask", amask)
    monkeypatch.setattr("airflow_provider_apscores.hooks.apscores._mask", lambda secret: time.sleep(next(pauses)))

    run_look(mode, APScoresHook())

    assert (sandbox.counts["login"], sandbox.counts["order"]) == (1, 4)


def test_a_triggerer_does_not_collect_masks(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    """
    Airflow never forgets a mask, and each line of the process is held against all of them.
    """
    masked: set[str] = set()

    async def amask(secret: str) -> None:
        masked.add(secret)

    monkeypatch.setattr("airflow_provider_apscores.hooks.apscores._amask", amask)

    for _ in range(3):
        run_look("deferrable", APScoresHook())

    assert sandbox.counts["login"] == 3
    assert masked == {sandbox.password, base64.b64encode(sandbox.password.encode()).decode()}


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_a_campus_with_news_is_not_asked_for_again(mode: str, sandbox: Sandbox):
    with news_after(sandbox, {6: NONE}):
        assert wait(mode, di_codes=[MANY, NONE], wait_for="all") == [MANY, NONE]

    assert sandbox.audit().calls_by_campus[MANY]["order"] == 1


def test_a_refused_login_is_not_repeated_for_other_campuses(sandbox: Sandbox):
    sandbox.fail("login", "refuse=password", times=None)

    with fails_permanently(CredentialsRefused):
        wait("poke")

    assert sandbox.counts == {"login": 1} | {key: 0 for key in sandbox.counts if key != "login"}


def test_a_connection_nearby_needs_no_courtesy_and_any_other_does(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    """
    The floor of five minutes, in each mode: the worker's, the trigger's, and where the user said otherwise.
    """
    near = sensor("deferrable", di_codes=NONE, poke_interval=1)
    with pytest.raises(TaskDeferred) as deferred:
        near.execute({})
    assert 1 <= near.poke_interval <= 1.2
    assert asyncio.run(deferred.value.trigger._interval()) == 1

    set_connection(monkeypatch, sandbox, host="https://college-board.invalid/api")
    far = sensor("poke", di_codes=NONE, poke_interval=1, max_consecutive_failures=9)
    assert far.poke({}).is_done is False
    assert 300 <= far.poke_interval <= 360
    assert asyncio.run(APScoresNewReportsTrigger(poke_interval=1)._interval()) * (1 - news.JITTER) == 300
    assert asyncio.run(APScoresNewReportsTrigger(poke_interval=3600)._interval()) == 3600
    assert asyncio.run(APScoresNewReportsTrigger(poke_interval=20, minimum_interval=0)._interval()) == 20
    told = sensor("poke", di_codes=NONE, poke_interval=1, minimum_interval=timedelta(seconds=10))
    told.poke({})
    assert 10 <= told.poke_interval <= 12


def test_many_sensors_do_not_ask_in_step_and_a_restart_changes_no_pace():
    times = [new_reports.next_look(1000.0 + each / 100, 3600.0, 1000.0) for each in range(200)]
    assert all(4600 <= each <= 1002 + 3600 * 1.2 for each in times)
    assert max(times) - min(times) > 300

    # A triggerer that begins again every ten seconds: the looks stay where they were, and none is left out.
    looks = sorted({new_reports.next_look(1000.0, 3600.0, now) for now in range(1000, 1000 + 3600 * 50, 10)})
    assert len(looks) == 50
    assert all(0 <= due - (1000 + 3600 * number) <= 720 for number, due in enumerate(looks, 1))
    assert new_reports.next_look(1000.0, 3600.0, 1000.0 + 3600 * 100.5) >= 1000 + 3600 * 101


async def test_a_look_is_not_made_twice_by_a_clock_that_was_set_back(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    due = new_reports.next_look(1000.0, 3600.0, 1000.0)
    monkeypatch.setattr(new_reports.asyncio, "sleep", sleep)
    monkeypatch.setattr(new_reports.time, "time", lambda: due - 1)
    await APScoresNewReportsTrigger()._sleep(3600.0, 1000.0, last=due)
    assert slept[0] > 3600 * 0.8


# The trigger


def test_every_argument_of_the_trigger_has_a_default_and_survives_the_database():
    """
    A newer version must be able to start what an older one deferred.
    """
    parameters = inspect.signature(APScoresNewReportsTrigger.__init__).parameters
    defaults = {name: each.default for name, each in parameters.items() if name != "self"}
    path, kwargs = APScoresNewReportsTrigger().serialize()

    assert inspect.Parameter.empty not in defaults.values()
    assert kwargs == defaults
    assert path == "airflow_provider_apscores.triggers.new_reports.APScoresNewReportsTrigger"
    full = {name: 7 if isinstance(value, int | float) else "x" for name, value in defaults.items()}
    assert APScoresNewReportsTrigger(**full).serialize()[1] == full


def test_what_is_deferred_holds_what_is_needed_and_no_more(sandbox: Sandbox):
    sandbox.fail("order", "500", di_code=MUTE)
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        sensor("deferrable", di_codes=[MANY, NONE, MUTE], wait_for="all", timeout=600).execute({})

    _path, kwargs = deferred.value.trigger.serialize()
    assert before <= kwargs.pop("since") <= time.time()
    assert before + 600 <= kwargs.pop("deadline") <= time.time() + 600
    assert kwargs == {
        "di_codes": f"{MANY},{NONE},{MUTE}",
        "wait_for": "all",
        "seen": MANY,
        "file_format": "TXT",
        "poke_interval": 0.05,
        "minimum_interval": 300.0,
        "timeout": None,
        "missed": 1,
        "max_consecutive_failures": 5,
        "apscores_conn_id": "apscores_default",
    }


def test_a_trigger_sleeps_before_its_first_look(sandbox: Sandbox):
    start = time.monotonic()

    assert first_event(APScoresNewReportsTrigger(di_codes=FEW, poke_interval=0.5)) == {
        "status": "found",
        "di_codes": [FEW],
    }
    assert time.monotonic() - start >= 0.5
    assert (sandbox.counts["login"], sandbox.counts["order"]) == (1, 1)


def test_a_triggerer_that_dies_in_mid_look_leaves_nothing_behind(sandbox: Sandbox):
    """
    Cancelled while College Board takes its time, then made again from the database.
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


def test_a_trigger_that_starts_late_looks_once_more_but_not_twice(sandbox: Sandbox):
    late = {"since": time.time() - 4000, "deadline": time.time() - 60}

    assert first_event(APScoresNewReportsTrigger(di_codes=FEW, **late)) == {"status": "found", "di_codes": [FEW]}
    assert first_event(APScoresNewReportsTrigger(di_codes=NONE, **late)) == {"status": "timeout"}
    assert sandbox.counts["order"] == 2
    just_looked = {"since": time.time(), "deadline": time.time() + 0.1}
    assert first_event(APScoresNewReportsTrigger(di_codes=FEW, **just_looked)) == {"status": "timeout"}
    assert sandbox.counts["order"] == 2


def test_a_service_that_says_nothing_holds_up_neither_the_loop_nor_the_end(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(new_reports, "_LAST_LOOK", 0.2)
    sandbox.fail("order", "slow=30", times=None)
    trigger = APScoresNewReportsTrigger(di_codes=FEW, poke_interval=0.01, deadline=time.time() + 1)
    gaps: list[float] = []

    async def heartbeat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - before)

    async def both() -> Any:
        beating = asyncio.create_task(heartbeat())
        payloads = [event.payload async for event in trigger.run()]
        beating.cancel()
        return payloads

    start = time.monotonic()
    assert asyncio.run(both()) == [{"status": "timeout"}]
    assert time.monotonic() - start < 10
    assert len(gaps) > 20
    assert max(gaps) < 0.3


def test_a_trigger_may_begin_without_a_look_in_a_worker(sandbox: Sandbox):
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
def test_a_wait_that_begins_in_the_triggerer_ends_like_any_other(soft_fail: bool, sandbox: Sandbox):
    task = sensor("deferrable", di_codes=NONE, start_from_trigger=True, timeout=0.3, soft_fail=soft_fail)
    event = first_event(APScoresNewReportsTrigger(**task.start_trigger_args.trigger_kwargs))

    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
        task.resume_execution("execute_complete", {"event": event}, {})


def test_an_event_of_another_version_or_none_at_all_is_another_look(sandbox: Sandbox):
    assert sensor("deferrable", di_codes=FEW).execute_complete({}) == [FEW]
    strange = {"status": "error", "error": "NewKind", "message": "tidings"}
    with pytest.raises(AirflowFailException, match="tidings"):
        sensor("deferrable").execute_complete({}, strange)


@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_told(
    mode: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    events: list[Any] = []
    sandbox.fail("order", "500", di_code=NONE)
    with news_after(sandbox, {4: NONE}):
        assert wait(mode, events, di_codes=[NONE, MUTE]) == [NONE]
    sandbox.fail("login", "refuse=password", times=None)
    with fails_permanently(CredentialsRefused) as refused:
        wait(mode, events)

    output = capfd.readouterr()
    told = caplog.text + output.out + output.err + json.dumps(events) + repr(refused.value)
    assert f"none for {MUTE}" in told
    for secret in (sandbox.password, base64.b64encode(sandbox.password.encode()).decode(), "Signature", "authToken"):
        assert secret not in told


def test_a_stranger_s_fault_is_a_missed_look_without_its_words(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(new_reports, "look_async", broken)
    event = first_event(APScoresNewReportsTrigger(di_codes=FEW, poke_interval=0, max_consecutive_failures=2))

    assert event["transient"] is True
    assert "RuntimeError" in event["message"]
    assert "hunter2" not in json.dumps(event)
    with pytest.raises(ServiceUnavailable):
        sensor("deferrable").execute_complete({}, event)


@pytest.mark.parametrize("transient", [True, False])
def test_an_error_of_another_version_is_what_its_event_says(transient: bool):
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
        ({"di_codes": [], "deferrable": True, "start_from_trigger": True}, "the campuses themselves"),
    ],
)
def test_arguments_that_make_no_sense_are_seen_when_the_dag_is_parsed(arguments: dict[str, Any], words: str):
    with pytest.raises((ValueError, ConfigurationError), match=words):
        APScoresNewReportsSensor(task_id="news", **arguments)
