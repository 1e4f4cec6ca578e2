"""The watcher for new reports against a sandbox: one event each time a campus has new reports, through all faults."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import airflow
import pytest
from pytest_mock import MockerFixture

from airflow_provider_apscores.hooks import polling
from airflow_provider_apscores.sandbox import Campus, Sandbox
from airflow_provider_apscores.triggers import new_reports_event
from airflow_provider_apscores.triggers.new_reports_event import (
    NOTIFIED,
    POLL,
    POLLED,
    RECORDED,
    APScoresNewReportsEventTrigger,
)
from airflow_provider_apscores.webservice import AsyncClient
from tests.provider.modes import revived

MANY, FEW, NONE = "0901", "9120", "9377"
CAMPUSES = [Campus(MANY, "Saltmarsh University", 3), Campus(FEW, "Quillfeather College"), Campus(NONE, "Emberwick")]
INTERVAL = 0.05
AIRFLOW_2 = airflow.__version__.startswith("2.")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # Every fault is a failed poll: no call repeats its request.
    monkeypatch.setattr("airflow_provider_apscores.webservice.retries.ATTEMPTS", 1)
    monkeypatch.setattr(new_reports_event, "_EVENT_WRITE_DELAY", 0.0)
    with Sandbox(campuses=CAMPUSES) as sandbox:
        connection = json.loads(sandbox.airflow_connection)
        connection["extra"]["verify"] = "false"
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(connection))
        yield sandbox


class AssetStates:
    """The asset state store of Airflow 3.3 as triggers and tasks see it: by asset, then by key."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.broken = False

    def __getitem__(self, asset: Any) -> AssetStates:
        assert asset.name == "reports"
        return self

    async def aget(self, key: str, default: Any = None) -> Any:
        if self.broken:
            raise ConnectionError("hunter2")
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        assert value is not None
        self.values[key] = json.loads(json.dumps(value))

    async def adelete(self, key: str) -> None:
        self.values.pop(key, None)


def watcher(store: AssetStates | None = None, di_code: str = MANY, **arguments: Any) -> APScoresNewReportsEventTrigger:
    arguments = {"di_code": di_code, "asset_name": "reports", "poke_interval": INTERVAL, **arguments}
    trigger = revived(APScoresNewReportsEventTrigger(**arguments))
    trigger.asset_state_store = store
    return trigger


class Watch:
    """A watcher that runs as in a triggerer, until the end of the block; its events so far."""

    def __init__(self, trigger: APScoresNewReportsEventTrigger, stream: AsyncIterator[Any] | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self._events = trigger.run() if stream is None else trigger.filter_shared_stream(stream)

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._take())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert not self._task.done(), "a watcher ended"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _take(self) -> None:
        async with aclosing(self._events) as events:
            async for event in events:
                self.events.append(json.loads(json.dumps(event.payload)))


async def polls(sandbox: Sandbox, more: int = 2, di_code: str = MANY) -> None:
    """Wait until there were *more* complete polls of a campus."""

    def answered() -> int:
        return sum(call.kind == "order" and call.di_code == di_code for call in sandbox.calls)

    begun = answered()
    for _ in range(1000):
        if answered() > begun + more:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("there are no polls")


def record(sandbox: Sandbox, di_code: str = MANY) -> None:
    """Download and record, not through Airflow."""
    from io import BytesIO

    from airflow_provider_apscores.hooks.apscores import APScoresHook

    with APScoresHook().get_conn() as client:
        generated = client.order(di_code)
        assert generated is not None
        client.record(client.download(generated, BytesIO()).generated.download_id, "TXT")


pytestmark = pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2.11 has no watchers")


async def test_a_poll_without_an_answer_ends_and_the_watcher_polls_again(
    sandbox: Sandbox, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
):
    """
    Without a limit for the whole poll, one answer that never comes would silence the watcher.
    """
    mocker.patch.object(polling, "_time_limit", return_value=1.0)

    async def no_answer(*_: Any, **__: Any) -> None:
        await asyncio.sleep(60)

    orders = mocker.patch.object(AsyncClient, "order", side_effect=no_answer)
    async with Watch(watcher()) as watch:
        async with asyncio.timeout(20):
            while orders.call_count < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert watch.events == []
        mocker.stop(orders)
        await polls(sandbox, 1)
        assert len(watch.events) == 1
    assert "No answer from College Board within" in caplog.text
    assert "The next poll is at 20" in caplog.text


async def test_new_reports_are_one_event(sandbox: Sandbox):
    async with Watch(watcher()) as watch:
        await polls(sandbox, 5)
        sandbox.add_reports(MANY)
        await polls(sandbox, 3)

        assert [event["di_code"] for event in watch.events] == [MANY]
    assert set(watch.events[0]) == {"di_code", "polled_at"}


async def test_nothing_new_is_no_event(sandbox: Sandbox):
    async with Watch(watcher(di_code=FEW)) as watch:
        await polls(sandbox, 2, FEW)
        assert watch.events == []
        sandbox.add_reports(FEW)
        await polls(sandbox, 3, FEW)
        assert len(watch.events) == 1


@pytest.mark.parametrize("with_store", [True, False])
async def test_reports_after_a_record_are_another_event(with_store: bool, sandbox: Sandbox):
    store = AssetStates() if with_store else None
    async with Watch(watcher(store)) as watch:
        await polls(sandbox)
        await asyncio.to_thread(record, sandbox)
        await polls(sandbox)
        sandbox.add_reports(MANY)
        await polls(sandbox)
        assert len(watch.events) == 2
        await asyncio.to_thread(record, sandbox)
        await polls(sandbox)
    assert len(watch.events) == 2
    assert store is None or NOTIFIED not in store.values


async def test_a_restart_repeats_no_event_if_there_is_a_store(sandbox: Sandbox):
    store = AssetStates()
    async with Watch(watcher(store)) as first:
        await polls(sandbox)
    async with Watch(watcher(store)) as second:
        await polls(sandbox)
    async with Watch(watcher(None)) as without:
        await polls(sandbox)

    assert [len(watch.events) for watch in (first, second, without)] == [1, 0, 1]
    assert set(store.values) == {NOTIFIED, POLLED, POLL}


async def test_a_kill_between_event_and_store_repeats_the_event(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(new_reports_event, "_EVENT_WRITE_DELAY", 3600.0)
    store = AssetStates()
    for _ in range(2):
        async with Watch(watcher(store)) as watch:
            await polls(sandbox, 0)
            while not watch.events:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert NOTIFIED not in store.values


async def test_a_record_between_two_polls_is_known_from_the_task_that_noted_it(sandbox: Sandbox):
    """
    College Board's answers do not show it: new before, new after.
    """
    store = AssetStates()
    async with Watch(watcher(store)) as watch:
        await polls(sandbox)
        assert len(watch.events) == 1
        store.values[RECORDED] = store.values[NOTIFIED] + 0.001
        await polls(sandbox, 3)
        assert len(watch.events) == 2
        # What a poll from before the record found is no event.
        store.values[RECORDED] = store.values[NOTIFIED] + 3600
        await polls(sandbox, 3)
        assert len(watch.events) == 2


async def test_reports_that_stay_unrecorded_are_another_event_after_a_while(sandbox: Sandbox):
    store = AssetStates()
    async with Watch(watcher(store, remind_after=0.4)) as reminded, Watch(watcher(remind_after=None)) as once:
        await asyncio.sleep(1.5)

    assert 2 <= len(reminded.events) <= 4
    assert len(once.events) == 1


@pytest.mark.parametrize("what", ["500", "reset", "maintenance", "504", "refuse=campus"])
async def test_no_fault_ends_a_watch(what: str, sandbox: Sandbox):
    sandbox.fail("order", what, times=6)
    async with Watch(watcher()) as watch:
        await polls(sandbox, 7)
        assert len(watch.events) == 1


async def test_a_missing_or_wrong_connection_ends_no_watch(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    good = json.loads(sandbox.airflow_connection)
    monkeypatch.delenv("AIRFLOW_CONN_APSCORES_DEFAULT")
    async with Watch(watcher(minimum_interval=0)) as watch:
        await asyncio.sleep(0.3)
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(good | {"login": ""}))
        await asyncio.sleep(0.3)
        assert sandbox.counts.get("login", 0) == 0
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(good))
        await polls(sandbox, 1)
        assert len(watch.events) == 1


async def test_a_refused_login_is_not_repeated_until_the_connection_changes(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """
    Wrong passwords lock accounts, and a watcher never ends.
    """
    good = json.loads(sandbox.airflow_connection)
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(good | {"password": "wrong-Passw0rd"}))
    async with Watch(watcher()) as watch:
        await asyncio.sleep(1)
        assert (sandbox.counts["login"], sandbox.counts.get("order", 0)) == (1, 0)
        monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(good))
        await polls(sandbox, 1)
        assert len(watch.events) == 1


async def test_a_store_that_cannot_be_reached_ends_no_watch(sandbox: Sandbox, caplog: pytest.LogCaptureFixture):
    store = AssetStates()
    store.broken = True
    async with Watch(watcher(store)) as watch:
        await polls(sandbox, 4)
        assert len(watch.events) == 1
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("password", ["", "wrong-Passw0rd"])
async def test_a_triggerer_that_restarts_often_polls_no_more_often(
    password: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """
    It does not repeat a refused login at each start either.
    """
    good = json.loads(sandbox.airflow_connection)
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", json.dumps(good | {"password": password or good["password"]}))
    monkeypatch.setattr(new_reports_event, "_STARTUP_DELAY", 0.0)
    store = AssetStates()
    for _ in range(4):
        async with Watch(watcher(store, poke_interval=60)):
            await asyncio.sleep(0.3)
    assert sandbox.counts["login"] == 1

    store.values[POLLED] -= 73
    async with Watch(watcher(store, poke_interval=60)):
        await asyncio.sleep(0.3)
    assert sandbox.counts["login"] == 2


async def test_if_the_last_poll_is_not_known_the_first_one_is_delayed(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    broken = AssetStates()
    broken.broken = True

    async def first(store: AssetStates | None, **arguments: Any) -> float:
        one = watcher(store, **{"poke_interval": 3600, **arguments})
        return await new_reports_event._until_first(one.serialize()[1], new_reports_event.APScoresHook(), [one])

    assert [await first(store) for store in (None, broken, AssetStates())] == [0, 0, 0]
    monkeypatch.setenv("AIRFLOW_CONN_APSCORES_DEFAULT", '{"login": "a", "password": "b", "host": "board.invalid"}')
    assert [await first(store) for store in (None, broken, AssetStates())] == [300, 300, 0]
    assert await first(None, minimum_interval=20) == 20


# One loop for the watchers of one connection


async def test_watchers_share_a_loop_and_a_login(sandbox: Sandbox):
    one, other = watcher(di_code=MANY), watcher(di_code=FEW, asset_name="others", remind_after=None)
    assert one.shared_stream_key() == other.shared_stream_key()
    queues: list[asyncio.Queue[Any]] = [asyncio.Queue(), asyncio.Queue()]

    async def poll() -> None:
        async for found in type(one).open_shared_stream(other.serialize()[1]):
            for queue in queues:
                queue.put_nowait(found)

    async def stream(queue: asyncio.Queue[Any]) -> AsyncIterator[Any]:
        while True:
            yield await queue.get()

    stream_task = asyncio.create_task(poll())
    async with Watch(one, stream(queues[0])) as first:
        async with Watch(other, stream(queues[1])) as second:
            await polls(sandbox, 2, FEW)
            sandbox.add_reports(FEW)
            await polls(sandbox, 3, FEW)
            assert [event["di_code"] for event in first.events] == [MANY]
            assert [event["di_code"] for event in second.events] == [FEW]
        assert abs(sandbox.counts["login"] * 2 - sandbox.counts["order"]) <= 2
        # The other campus is not watched any more, though it started the loop, so it is not polled.
        await polls(sandbox, 1)
        orders = sandbox.audit().calls_by_campus[FEW]["order"]
        await polls(sandbox, 3)
        assert sandbox.audit().calls_by_campus[FEW]["order"] == orders
    stream_task.cancel()
    await asyncio.gather(stream_task, return_exceptions=True)
    assert NONE not in sandbox.audit().calls_by_campus or not sandbox.audit().calls_by_campus[NONE].get("order")


@pytest.mark.parametrize(
    "change",
    [{"apscores_conn_id": "second"}, {"poke_interval": 9.0}, {"minimum_interval": 9.0}, {"file_format": "CSV"}],
)
def test_what_a_loop_needs_is_in_its_key(change: dict[str, Any]):
    key = watcher().shared_stream_key()

    assert hash(key) == hash(watcher(di_code=FEW).shared_stream_key())
    assert key != watcher(**change).shared_stream_key()


async def test_the_next_poll_and_the_last_error_are_stored(sandbox: Sandbox):
    store = AssetStates()
    sandbox.fail("order", "status=503", times=None)
    async with Watch(watcher(store, poke_interval=0.1)):
        await polls(sandbox)
        poll = dict(store.values[POLL])
        assert poll["last_error"]["class"] == "ServiceUnavailable"
        assert poll["last_error"]["at"] <= poll["next_poll_at"]
        assert poll["new_since"] is None
        assert "checked_at" not in poll

        sandbox.clear_faults()
        await polls(sandbox)
        since = store.values[POLL]["new_since"]
        assert (store.values[POLL]["last_error"], since[:2]) == (None, "20")
        assert since <= store.values[POLL]["checked_at"] <= store.values[POLL]["next_poll_at"]

    async with Watch(watcher(store)):  # another triggerer
        await polls(sandbox)
        assert store.values[POLL]["new_since"] == since
        record(sandbox)
        await polls(sandbox)
        assert store.values[POLL]["new_since"] is None


async def test_a_refused_login_is_the_last_error_until_it_is_accepted(sandbox: Sandbox):
    store = AssetStates()
    sandbox.fail("login", "refuse=locked", times=1)
    async with Watch(watcher(store)):
        async with asyncio.timeout(20):
            while POLL not in store.values:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        refused = store.values[POLL]["last_error"]
        await asyncio.sleep(3 * INTERVAL)

        assert refused["class"] == "CredentialsRefused"
        assert store.values[POLL]["last_error"] == refused


async def test_polls_have_metrics(sandbox: Sandbox, mocker: MockerFixture):
    told = mocker.patch("airflow.observability.stats.Stats")
    sandbox.fail("order", "status=503")
    async with Watch(watcher()):
        await polls(sandbox, 3)

    tags = {"di_code": MANY}
    assert told.incr.mock_calls == [mocker.call("apscores.poll_failures", tags=tags)]
    ages = [call.args[1] for call in told.gauge.mock_calls]
    assert told.gauge.mock_calls == [mocker.call("apscores.news_age", age, tags=tags) for age in ages]
    assert ages == sorted(ages)
    assert len(ages) >= 2


async def test_no_secret_is_logged(sandbox: Sandbox, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with Watch(watcher()) as watch:
        await polls(sandbox)

    output = caplog.text + json.dumps(watch.events) + repr(watcher())
    assert f"new reports for {MANY}" in output
    assert sandbox.password not in output
    assert "Signature" not in output
