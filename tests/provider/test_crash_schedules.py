"""Random days from a seed: faults of the service, kills at random points, reports that arrive at random points.

Each schedule is some days of two campuses. After every try, and at the end, an independent reader checks that each
report that was issued is in storage or still new, and that each noted record was made.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.provider.worker import HOLD, KILL, Outcome, Try, Worker
from tests.provider.world import CAMPUSES, EMBERWICK, QUILLFEATHER, World, reports_in, worlds

# What the schedules interleave is the same on every Airflow; test_crash.py runs on all versions.
pytestmark = pytest.mark.one_airflow

SCHEDULES = 100
#: How many schedules share a test, so that a failure names a few.
BATCH = 10
#: Points that a try passes which orders, downloads and records; see worker.py. Some more, for renewed calls.
POINTS = 1000


@pytest.mark.parametrize("first", range(0, SCHEDULES, BATCH))
def test_no_report_is_lost_in_random_schedules(tmp_path: Path, first: int):
    def schedule(seed: int) -> Counter[str]:
        place = tmp_path / str(seed)
        place.mkdir()
        with worlds(place / "ap", campuses=CAMPUSES[1:]) as world, Days(world, place, Random(seed)) as days:
            try:
                days.pass_by()
            except AssertionError as error:
                error.add_note(f"Schedule {seed}: " + "; ".join(days.story))
                raise
            return days.states

    # Two schedules at a time: most of one is waiting for a process.
    with ThreadPoolExecutor(2) as pool:
        states = sum(pool.map(schedule, range(first, first + BATCH)), Counter())
    assert states["killed"] >= BATCH / 2, "the schedules are not dangerous enough"


@dataclass
class Days:
    """Some days of a world."""

    world: World
    place: Path
    random: Random
    story: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    handed_on: set[str] = field(default_factory=set)
    unfinished: list[Try] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)

    def pass_by(self) -> None:
        sandbox, random = self.world.sandbox, self.random
        for day in range(1, random.choice((1, 2, 2)) + 1):
            sandbox.chaos(random.randrange(1 << 30), random.choice((0.0, 0.2, 0.4)))
            for campus in (QUILLFEATHER, EMBERWICK):
                if random.random() < 0.5:
                    sandbox.add_reports(campus, random.randint(1, 3))
                self._day(f"day-{day}", campus)
        sandbox.clear_faults()
        self.story.append("calm")
        for run in self.unfinished:
            # The failed tasks are cleared.
            outcome = self._run(Try(run.task, run.arguments, run.run, 5, 8))
            assert outcome.state in ("returned", "skipped"), outcome
        for campus in (QUILLFEATHER, EMBERWICK):
            arguments = {"di_code": campus, "destination": str(self.world.destination)}
            outcome = self._run(Try("download", arguments, "last"))
            assert outcome.state in ("returned", "skipped"), outcome
        self.world.assert_all_is_well()
        assert self.handed_on == sandbox.audit().all_reports, "a report is in storage, and no task handed it on"

    def _day(self, run: str, campus: str) -> None:
        """One run for one campus, recorded by its download task or by a record task."""
        itself = self.random.random() < 0.7
        arguments = {
            "di_code": campus,
            "destination": str(self.world.destination),
            "record": itself,
            "file_format": self.random.choice(("TXT", "TXT", "CSV")),
        }
        landed = self._tries(Try("download", arguments, run), campus)
        if landed is not None and landed.state == "returned" and not itself:
            self._tries(Try("record", {"download": landed.value}, run), campus)

    def _tries(self, task: Try, campus: str) -> Outcome | None:
        """Up to four tries of a task, as Airflow makes them; None if none of them ended."""
        for number in range(1, 5):
            outcome = self._run(Try(task.task, task.arguments, task.run, number, 3, self._dangers(campus)))
            assert not outcome.final, outcome
            if outcome.state in ("returned", "skipped"):
                return outcome
        self.unfinished.append(task)
        return None

    def _dangers(self, campus: str) -> dict[int, str]:
        random, at = self.random, {}
        if random.random() < 0.3:
            at[random.randrange(1, POINTS)] = f"reports for {campus}"
        if random.random() < 0.1:
            at[random.randrange(1, POINTS)] = HOLD
        elif random.random() < 0.6:
            at[random.randrange(1, POINTS)] = KILL
        return at

    def _run(self, attempt: Try) -> Outcome:
        what = attempt.arguments.get("di_code", attempt.task)
        self.story.append(f"{attempt.run} {what} try {attempt.try_number} {attempt.at}")
        worker = self.workers.pop() if self.workers else Worker(self.world.connection, self.place / "worker.log")
        outcome = worker.run(attempt)
        self.states[outcome.state] += 1
        if outcome.state == "holds":
            # Airflow considers it dead and makes the next try. The first continues after that.
            following = self._run(
                Try(attempt.task, attempt.arguments, attempt.run, attempt.try_number + 1, attempt.max_tries)
            )
            late = worker.go_on()
            self.story.append(f"late {late.state}")
            outcome = following
            if late.state == "returned" and following.state == "skipped":
                # It found reports that arrived after the next try had found none. Clearing the task hands them on.
                self.unfinished.append(attempt)
        elif outcome.state == "killed":
            worker.close()
            worker = None
        if outcome.state == "returned":
            self.handed_on |= reports_in(Path(outcome.value["uri"].removeprefix("file://")))
        if worker is not None:
            self.workers.append(worker)
        self.story[-1] += f" {outcome.state} {outcome.error}"
        self.world.assert_nothing_is_lost()
        return outcome

    def __enter__(self) -> Days:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.close()
