"""The crash matrix: a task process is killed at every boundary between steps, and the next try continues.

Real processes, killed with SIGKILL. At each boundary, the next try runs on another worker, which shares nothing with
the first but the destination. Retries on the same worker and cleared tasks differ in their numbers of tries only, so
representative boundaries stand for them: in the transfer, after the manifest, and after *record*.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_apscores.delivery import APScoresLedger
from tests.provider.worker import HOLD, KILL, Outcome, Point, Try, Worker
from tests.provider.world import QUILLFEATHER, SALTMARSH, World, reports_in

EXCHANGE, WRITE, PUBLISH, REPLACE = "Client._exchange", "CheckedFile.write", "_LocalPart.publish", "posix.replace"

#: Where the first try is killed; the numbers of orders and of record calls in the end.
DOWNLOAD = [
    (Point("APScoresDownloadOperator._deliver"), 1, 1),
    (Point(EXCHANGE, "before", 1), 1, 1),  # log in
    (Point(EXCHANGE, "after", 1), 1, 1),
    (Point(EXCHANGE, "before", 2), 1, 1),  # order
    (Point(EXCHANGE, "after", 2), 2, 1),
    (Point("Landing.begin", "after"), 2, 1),
    (Point(EXCHANGE, "before", 3), 2, 1),  # transfer
    (Point(WRITE, "before", 1), 2, 1),
    (Point(WRITE, "after", 1), 2, 1),
    (Point(WRITE, "after", 2), 2, 1),
    (Point(EXCHANGE, "after", 3), 2, 1),
    (Point(PUBLISH, "before", 1), 2, 1),  # the mark of the digest
    (Point(REPLACE, "before", 1), 2, 1),
    (Point(REPLACE, "after", 1), 2, 1),
    (Point(PUBLISH, "before", 2), 2, 1),  # the score file
    (Point(REPLACE, "before", 2), 2, 1),
    (Point(REPLACE, "after", 2), 2, 1),
    (Point(PUBLISH, "before", 3), 2, 1),  # its manifest
    (Point(REPLACE, "before", 3), 2, 1),
    (Point(REPLACE, "after", 3), 1, 1),
    (Point(REPLACE, "before", 4), 1, 1),  # the manifest, with the time when the record began
    (Point(REPLACE, "after", 4), 1, 1),
    (Point("Client.record", "before"), 1, 1),
    (Point(EXCHANGE, "before", 4), 1, 1),  # record
    (Point(EXCHANGE, "after", 4), 1, 2),
    (Point("Client.record", "after"), 1, 2),
    (Point(REPLACE, "before", 5), 1, 2),  # the manifest, with the time of the record
    (Point(REPLACE, "after", 5), 1, 1),
    (Point("APScoresDownloadOperator.execute", "after"), 1, 1),  # what it returned never became an XCom
]
RECORD = [
    (Point("APScoresRecordDownloadOperator.execute"), 1),
    (Point("Delivery.check", "after"), 1),
    (Point(EXCHANGE, "before", 1), 1),  # log in
    (Point(EXCHANGE, "after", 1), 1),
    (Point(REPLACE, "before", 1), 1),  # the manifest, with the time when the record began
    (Point(REPLACE, "after", 1), 1),
    (Point(EXCHANGE, "before", 2), 1),  # record
    (Point(EXCHANGE, "after", 2), 2),
    (Point(REPLACE, "before", 2), 2),  # the manifest, with the time of the record
    (Point(REPLACE, "after", 2), 1),
    (Point("APScoresRecordDownloadOperator.execute", "after"), 1),
]
#: Where tries are interleaved.
STEPS = [point for point, *_ in DOWNLOAD if point.name != PUBLISH]
#: The second try, and whether it runs elsewhere.
OTHER_WORKER = ({"try_number": 2, "max_tries": 3}, True)
SAME_WORKER = {"retry": ({"try_number": 2, "max_tries": 3}, False), "clear": ({"try_number": 2, "max_tries": 4}, False)}
REPRESENTATIVE = {Point(WRITE, "after", 1), Point(REPLACE, "after", 3), Point(EXCHANGE, "after", 4)}
#: Of the record task: before and after *record*.
REPRESENTATIVE_RECORD = {Point(EXCHANGE, "before", 2), Point(EXCHANGE, "after", 2)}


def matrix(boundaries: list[tuple[Any, ...]], representative: set[Point]) -> list[Any]:
    """Each boundary with the ways in which the next try runs."""
    ways = [("other worker", OTHER_WORKER, None), *((name, way, representative) for name, way in SAME_WORKER.items())]
    return [
        pytest.param(*boundary, way, id=f"{boundary[0]}-{name}")
        for name, way, points in ways
        for boundary in boundaries
        if points is None or boundary[0] in points
    ]


Hire = Callable[..., Worker]


@pytest.fixture
def hire(world: World, tmp_path: Path) -> Iterator[Hire]:
    """Fork a worker; with *elsewhere*, in another working and temporary folder."""
    workers: list[Worker] = []

    def fork(elsewhere: bool = False) -> Worker:
        home = tmp_path / f"worker-{len(workers)}" if elsewhere else None
        if home is not None:
            home.mkdir()
        workers.append(Worker(world.connection, tmp_path / "worker.log", home))
        return workers[-1]

    yield fork
    for worker in workers:
        worker.close()


def download(world: World, **more: Any) -> Try:
    more["arguments"] = {"di_code": SALTMARSH, "destination": str(world.destination)} | more.get("arguments", {})
    return Try("download", **more)


def long_enough(world: World, point: Point) -> None:
    """Make the file long enough for two pieces if the point is between them."""
    if point.name == WRITE:
        world.sandbox.add_reports(SALTMARSH, 1500)


def file_of(outcome: Outcome) -> Path:
    assert outcome.state == "returned", outcome
    return Path(outcome.value["uri"].removeprefix("file://"))


def handed_on(*outcomes: Outcome) -> set[str]:
    """The reports that the next tasks received."""
    return {report for each in outcomes if each.state == "returned" for report in reports_in(file_of(each))}


def unfinished_score_files(world: World) -> list[Path]:
    return [path for path in world.everything() if path.name.startswith(".incoming")]


@pytest.mark.parametrize(("point", "orders", "records", "way"), matrix(DOWNLOAD, REPRESENTATIVE))
def test_a_download_killed_at_any_step(world: World, hire: Hire, point: Point, orders: int, records: int, way: Any):
    long_enough(world, point)
    assert hire().run(download(world, at={point: KILL})).state == "killed"
    world.assert_nothing_is_lost()

    tries, elsewhere = way
    worker = hire(elsewhere)
    outcome = worker.run(download(world, **tries))

    assert reports_in(file_of(outcome)) == set(world.sandbox.audit().issued[SALTMARSH])
    assert outcome.value["recorded"] is True
    assert (world.sandbox.counts["order"], world.sandbox.counts["record"]) == (orders, records)
    assert world.sandbox.audit().recorded == [outcome.value["download_id"]]
    assert world.sandbox.counts["login"] <= 2
    assert unfinished_score_files(world) == []
    world.assert_nothing_is_lost()
    assert worker.run(download(world, try_number=3, max_tries=6)).value == outcome.value


@pytest.mark.parametrize(("point", "records", "way"), matrix(RECORD, REPRESENTATIVE_RECORD))
def test_a_record_task_killed_at_any_step(world: World, hire: Hire, point: Point, records: int, way: Any):
    landed = hire().run(download(world, arguments={"record": False})).value
    record = {"task": "record", "arguments": {"download": landed}}
    assert hire().run(Try(**record, at={point: KILL})).state == "killed"
    world.assert_nothing_is_lost()

    tries, elsewhere = way
    outcome = hire(elsewhere).run(Try(**record, **tries))

    assert outcome.value == landed | {"recorded": True}
    assert world.sandbox.counts["order"] == 1
    assert world.sandbox.counts["record"] == records
    assert world.sandbox.audit().recorded == [landed["download_id"]]
    world.assert_nothing_is_lost()


@pytest.mark.parametrize("arrive", [False, True], ids=["nothing new", "reports arrive"])
@pytest.mark.parametrize("point", [Point(EXCHANGE, "after", 4), Point(REPLACE, "before", 5)], ids=str)
def test_a_record_that_was_not_noted_is_named_by_the_next_run(
    world: World, hire: Hire, point: Point, arrive: bool, tmp_path: Path
):
    """
    Without a retry, the reports of a try that was killed between the record and its note are handed on by clearing it.
    """
    assert hire().run(download(world, at={point: KILL})).state == "killed"
    if arrive:
        world.sandbox.add_reports(SALTMARSH, 1)

    following = hire().run(download(world, run="day-2"))

    assert following.state == ("returned" if arrive else "skipped")
    assert "has no noted record" in (tmp_path / "worker.log").read_text()
    (pending,) = APScoresLedger(world.destination).pending()
    assert pending.manifest.run_id == "day-1"
    cleared = hire().run(download(world, try_number=2, max_tries=4))
    assert handed_on(following, cleared) == set(world.sandbox.audit().issued[SALTMARSH])
    assert APScoresLedger(world.destination).pending() == []


@pytest.mark.parametrize("recorded", [True, False], ids=["nothing is new", "landed"])
def test_the_part_of_a_killed_try_is_deleted_even_without_an_order(world: World, hire: Hire, recorded: bool):
    assert hire().run(download(world, at={Point(WRITE, "after"): KILL})).state == "killed"
    (left,) = unfinished_score_files(world)
    assert hire().run(download(world, run="day-2", arguments={"record": recorded})).state == "returned"
    if not recorded:
        kept = left.read_bytes()
        hire().run(download(world, try_number=2, arguments={"record": False}))
        left.write_bytes(kept)

    hire().run(download(world, try_number=3))

    assert unfinished_score_files(world) == []


@pytest.mark.parametrize("point", [Point(PUBLISH), Point(REPLACE), Point(REPLACE, "after")], ids=str)
def test_a_file_of_another_campus_goes_to_quarantine_despite_a_kill(world: World, hire: Hire, point: Point):
    world.sandbox.fail("download", f"wrong-campus={QUILLFEATHER}", times=None)
    assert hire().run(download(world, at={point: KILL})).state == "killed"

    outcome = hire().run(download(world, try_number=2))

    assert (outcome.state, outcome.value, outcome.final) == ("failed", "WrongCampusInFile", True)
    assert world.files() == []
    assert len(list((world.destination / "quarantine").rglob("*.txt"))) == 1
    world.assert_nothing_was_recorded()


@pytest.mark.parametrize("arrive", [False, True], ids=["", "reports arrive"])
@pytest.mark.parametrize("point", STEPS, ids=str)
def test_a_try_that_airflow_considered_dead(world: World, hire: Hire, point: Point, arrive: bool):
    """
    A worker loses its network, Airflow starts the next try elsewhere, and then the first continues. Its result is
    ignored, so the second must hand on everything.
    """
    long_enough(world, point)
    lost = hire()
    assert lost.run(download(world, at={point: HOLD})).state == "holds"
    if arrive:
        world.sandbox.add_reports(SALTMARSH, 1)

    worker = hire(elsewhere=True)
    outcome = worker.run(download(world, try_number=2))

    assert lost.go_on().state in ("returned", "failed")
    world.assert_nothing_is_lost()
    following = worker.run(download(world, run="day-2"))
    assert handed_on(outcome, following) == set(world.sandbox.audit().issued[SALTMARSH])
    world.assert_nothing_is_lost()


@pytest.mark.parametrize(
    ("point", "arrive"), [*((point, True) for point in STEPS), *((point, False) for point in STEPS[:5])], ids=str
)
def test_a_second_try_that_waits_while_the_first_continues(world: World, hire: Hire, point: Point, arrive: bool):
    """
    The second try holds, after it has found that nothing was landed.
    """
    first, second = hire(), hire(elsewhere=True)
    long_enough(world, point)
    assert first.run(download(world, at={Point(EXCHANGE, "after", 2): HOLD})).state == "holds"
    assert second.run(download(world, try_number=2, at={point: HOLD})).state == "holds"
    first.go_on()
    if arrive:
        world.sandbox.add_reports(SALTMARSH, 1)

    outcome = second.go_on()

    tries = 2
    while outcome.state == "failed" and not outcome.final:
        tries += 1
        outcome = second.run(download(world, try_number=tries))
    following = second.run(download(world, run="day-2"))
    assert handed_on(outcome, following) == set(world.sandbox.audit().issued[SALTMARSH])
    assert tries <= 3
    world.assert_nothing_is_lost()


@pytest.mark.parametrize("point", STEPS, ids=str)
def test_two_runs_of_one_campus_at_once(world: World, hire: Hire, point: Point):
    one, other = hire(), hire(elsewhere=True)
    long_enough(world, point)
    assert one.run(download(world, at={point: HOLD})).state == "holds"
    world.sandbox.add_reports(SALTMARSH, 1)

    second = other.run(download(world, run="day-2"))
    first = one.go_on()

    assert handed_on(first, second) == set(world.sandbox.audit().issued[SALTMARSH])
    assert {first.state, second.state} <= {"returned", "skipped"}
    world.assert_nothing_is_lost()
    assert world.landed() == set(world.sandbox.audit().issued[SALTMARSH])


class Terminated(BaseException):
    """The exception that Airflow raises in a task that must stop or has run too long."""


@pytest.mark.parametrize("seconds", [0.2, 0.6])
def test_a_terminated_task_leaves_nothing_behind(world: World, seconds: float):
    def stop(*_: object) -> None:
        raise Terminated

    world.sandbox.fail("download", "stall=2")
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with pytest.raises(Terminated):
            world.download()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert world.everything() == []
    world.assert_nothing_was_recorded()
    assert world.download(try_number=2)["records"] == 12
