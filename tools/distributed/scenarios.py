"""The scenarios, and what the service saw in each."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from deployment import WORKERS, Deployment, deployment, wait_for

#: Reports issued to each campus before a scenario.
REPORTS = 20
#: Seconds for which a transfer pauses half-way, so that something can break meanwhile.
PAUSE = 45


def plain(it: Deployment, dag_id: str) -> None:
    """Nothing breaks."""
    it.trigger(dag_id)


def killed_worker(it: Deployment, dag_id: str) -> None:
    """A worker loses its power during a transfer; the other one goes on."""
    worker = _start_download(it, dag_id)
    it.kill(worker)
    it.wait_for_runs(dag_id)
    it.start(worker)


def lost_broker(it: Deployment, dag_id: str) -> None:
    """Redis dies with a queued task, and starts again empty."""
    it.trigger(dag_id)
    wait_for(lambda: "deferred" in it.states(dag_id, "wait"), 300, "the deferral")
    for worker in WORKERS:
        it.freeze(worker)  # so that they take nothing out of the queue
    _issue(it)
    wait_for(lambda: "queued" in it.states(dag_id, "wait"), 300, "a queued task")
    time.sleep(2)
    it.kill("redis")
    for worker in WORKERS:
        it.thaw(worker)
    it.start("redis")


def killed_scheduler_and_triggerer(it: Deployment, dag_id: str) -> None:
    """Both die while the sensor waits in the triggerer; reports arrive meanwhile."""
    it.trigger(dag_id)
    wait_for(lambda: "deferred" in it.states(dag_id, "wait"), 300, "the deferral")
    it.kill("triggerer")
    it.kill("scheduler")
    _issue(it)
    it.start("triggerer")
    it.start("scheduler")


def two_runs_at_once(it: Deployment, dag_id: str) -> None:
    """Two runs wait for the same reports, and download the same campuses."""
    it.trigger(dag_id, "run-1")
    it.trigger(dag_id, "run-2")
    wait_for(lambda: it.states(dag_id, "wait") == ["deferred"] * 2, 300, "both deferrals")
    _issue(it)


def cleared_and_rerun(it: Deployment, dag_id: str) -> None:
    """The tasks of a finished run are cleared, but for the sensor, which would wait for other reports."""
    it.trigger(dag_id)
    it.wait_for_runs(dag_id)
    it.clear(dag_id)


def frozen_worker(it: Deployment, dag_id: str) -> None:
    """A worker stops during a transfer, and continues after the other one has done its tasks."""
    worker = _start_download(it, dag_id)
    it.freeze(worker)
    it.wait_for_runs(dag_id)
    it.thaw(worker)
    time.sleep(PAUSE)


def lost_api_server(it: Deployment, dag_id: str) -> None:
    """The API server is away for some seconds during a transfer."""
    _start_download(it, dag_id)
    it.kill("api-server")
    time.sleep(10)
    it.start("api-server")


def _start_download(it: Deployment, dag_id: str) -> str:
    """Start a run, wait until a transfer pauses half-way, and return its worker."""
    it.service.fail("download", f"stall={PAUSE}")
    before = sum(it.service.audit().calls.values())
    it.trigger(dag_id)
    it.wait_for_call("download", before)
    return it.worker_of(dag_id, "download")


def _issue(it: Deployment) -> None:
    for di_code in it.campuses:
        it.service.add_reports(di_code, REPORTS)


SCENARIOS: dict[str, Callable[[Deployment, str], None]] = {
    function.__name__: function
    for function in (
        plain,
        killed_worker,
        lost_broker,
        killed_scheduler_and_triggerer,
        two_runs_at_once,
        cleared_and_rerun,
        frozen_worker,
        lost_api_server,
    )
}


@dataclass(frozen=True)
class Row:
    """A line of the table: the states of the runs, calls of the service, and reports."""

    scenario: str
    runs: str
    tries_of_downloads: int
    logins: int
    orders: int
    downloads: int
    records: int
    still_new: int
    lost: int
    seconds: int

    @property
    def is_well(self) -> bool:
        """Whether all runs ended well, and every report is recorded and in the bucket."""
        return set(self.runs.split(", ")) == {"success"} and self.lost == self.still_new == 0

    def __str__(self) -> str:
        return line(astuple(self))


def line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell).replace('_', ' ') for cell in cells)} |"


def run_all(chosen: list[str], folder: Path, url: str, email: str | None, password: str | None) -> int:
    """Run the scenarios one after the other, and print the table; return the exit status."""
    names = [name.replace(" ", "_") for name in chosen] or list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        raise SystemExit(f"There is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    with deployment(folder, names, url, email, password) as it:
        print(line(each.name for each in fields(Row)), line("-" for _ in fields(Row)), sep="\n", flush=True)
        for name in names:
            rows.append(_run(it, name))
            print(rows[-1], flush=True)
    return 0 if all(row.is_well for row in rows) else 1


def _run(it: Deployment, name: str) -> Row:
    started = time.monotonic()
    before = it.service.audit()
    if SCENARIOS[name] not in (lost_broker, killed_scheduler_and_triggerer, two_runs_at_once):  # these do it later
        _issue(it)
    try:
        SCENARIOS[name](it, name)
        runs = it.wait_for_runs(name)
    except TimeoutError as error:
        print(error, file=sys.stderr)
        runs = ["did not end"]
    it.service.clear_faults()
    after = it.service.audit()
    landed = it.landed()
    ((tries,),) = it.query(
        "SELECT coalesce(sum(try_number), 0) FROM task_instance WHERE dag_id=%s AND task_id='download'", name
    )
    calls = {kind: after.calls[kind] - before.calls[kind] for kind in ("login", "order", "download", "record")}
    return Row(
        scenario=name,
        runs=", ".join(runs),
        tries_of_downloads=tries,
        logins=calls["login"],
        orders=calls["order"],
        downloads=calls["download"],
        records=calls["record"],
        still_new=len(after.all_reports - after.passed_reports(it.account)),
        lost=len((after.passed_reports(it.account) - before.passed_reports(it.account)) - landed),
        seconds=round(time.monotonic() - started),
    )
