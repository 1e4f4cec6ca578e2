"""What many waiting sensors cost a triggerer: CPU, memory, and whether its loop was blocked.

    python -m benchmarks.waiting [--sensors 1000] [--interval 3600] [--seconds 300]

It runs a real Airflow (API server, scheduler, DAG processor and triggerer as processes, SQLite) and a sandbox with
three campuses without new reports. It first measures Airflow's own sensors, waiting for a day in 2099, then as many of
ours at their default interval: a poll an hour each, with jitter. Their timetables are spread evenly over the hour, like
those of sensors that started at any time, so that any few minutes contain the same number of polls.

No worker defers them: they start in the triggerer (``start_from_trigger``). For that, Airflow 3.3 loads the DAG once
for each trigger. So the measured triggerer is a new one, after the DAGs were changed back, and it finds the sensors as
workers leave them. Linux only.
"""

from __future__ import annotations

import argparse
import os
import re
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from airflow_provider_apscores.sandbox import RemoteSandbox
from tests.provider.deployment import Deployment, deployment, sandbox, wait_for

CAMPUS = "0901"
DAG = """
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow_provider_apscores.sensors.new_reports import APScoresNewReportsSensor

for number in range({dags}):
    with DAG(f"waiting_{{number}}", schedule="@once", start_date=datetime(2026, 7, 1), max_active_tasks=1000) as dag:
        for each in range({sensors}):
            {sensor}
    globals()[dag.dag_id] = dag
"""
# They all start at the same moment here. So their timetables say that they started at various times long ago.
OURS = """sensor = APScoresNewReportsSensor(
                task_id=f"wait_{{each}}", poke_interval={interval}, deferrable=True, start_from_trigger=True
            )
            started = (number * {sensors} + each) / ({dags} * {sensors})
            sensor.start_trigger_args.trigger_kwargs["last_poll"] = 1_780_000_000 - {interval} * started"""
# What as many of Airflow's own sensors need.
CONTROL = """DateTimeSensorAsync(
                task_id=f"wait_{{each}}",
                target_time="2099-01-01T00:00:00+00:00",
                start_from_trigger=True,
            )"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=3600, help="seconds between polls")
    parser.add_argument("--seconds", type=float, default=300, help="how long to measure")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waiting-") as name:
        folder = Path(name)
        campuses = [word for code in (CAMPUS, "9120", "9245") for word in ("--campus", f"{code}:College:0")]
        with sandbox(folder, *campuses) as (college_board, connection):
            dags = max(1, chosen.sensors // 50)
            each = chosen.sensors // dags
            stages = {"Airflow's own": CONTROL, f"ours, a poll each {chosen.interval:g} s": OURS}
            for number, (title, sensor) in enumerate(stages.items()):
                sensor = sensor.format(interval=chosen.interval, dags=dags, sensors=each)
                text = DAG.format(dags=dags, sensors=each, sensor=sensor)
                with deployment(
                    folder / str(number), {"apscores_default": connection}, {"waiting.py": text}
                ) as airflow:
                    fill(airflow, chosen.sensors)
                    measure(airflow, college_board, chosen.seconds, f"{chosen.sensors} sensors, {title}")
    return 0


def fill(airflow: Deployment, sensors: int) -> None:
    """Defer the sensors, then start a new triggerer that takes them over."""
    waits_for(airflow, "SELECT count(*) FROM task_instance WHERE state='deferred'", sensors)
    airflow.kill("triggerer")
    # In the database, because a run keeps the version of the DAG that it started with.
    enabled, disabled = '"start_from_trigger": true', '"start_from_trigger": false'
    with closing(sqlite3.connect(airflow.home / "airflow.db", timeout=60)) as database, database:
        changed = database.execute("UPDATE serialized_dag SET data = replace(data, ?, ?)", (enabled, disabled))
        assert changed.rowcount
    killed = airflow.query("SELECT max(id) FROM job WHERE job_type='TriggererJob'")[0][0]
    (airflow.home / "triggerer.log").unlink()
    airflow.start("triggerer")
    waits_for(airflow, f"SELECT count(*) FROM trigger WHERE triggerer_id > {killed}", sensors)


def waits_for(airflow: Deployment, query: str, sensors: int) -> None:
    try:
        wait_for(lambda: airflow.query(query)[0][0] >= sensors, 900, "the sensors")
    except AssertionError as error:
        raise SystemExit(f"{error} {airflow.query(query)[0][0]} of {sensors}: {query}") from None


def measure(airflow: Deployment, college_board: RemoteSandbox, duration: float, title: str) -> None:
    time.sleep(20)  # until the last ones wait
    triggerer = airflow.running["triggerer"].pid
    before = blocks(airflow)
    polls, begun, cpu = polled(college_board), time.monotonic(), processor_time(triggerer)
    most = 0
    while time.monotonic() < begun + duration:
        time.sleep(2)
        most = max(most, memory(triggerer))
    seconds = time.monotonic() - begun
    cpu, polls = processor_time(triggerer) - cpu, polled(college_board) - polls
    after = blocks(airflow)[len(before) :]
    print(
        f"{title}: {polls / seconds:.2f} polls/s for {seconds:.0f} s; {100 * cpu / seconds:.1f} % of a core; "
        f"{most / 1e6:.0f} MB in all its processes; loop blocked {len(before)} times while they were taken over "
        f"({', '.join(before) or 'never'} s), {len(after)} times since ({', '.join(after) or 'never'})",
        flush=True,
    )


def blocks(airflow: Deployment) -> list[str]:
    """The seconds for which the triggerer reports that its loop was blocked, one for each time."""
    log = (airflow.home / "triggerer.log").read_text(errors="replace")
    return re.findall(r"was blocked for ([\d.]+) seconds", log)


def polled(college_board: RemoteSandbox) -> int:
    return college_board.audit().calls_by_campus.get(CAMPUS, {}).get("order", 0)


def family(leader: int) -> list[int]:
    """The processes of a session: a component of Airflow with its children."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdigit() and os.getsid(int(each.name)) == leader:
                found.append(int(each.name))
        except OSError:  # it has ended
            continue
    return found


def processor_time(leader: int) -> float:
    """Seconds of CPU, user and system, that a component of Airflow has used."""
    ticks = 0
    for pid in family(leader):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(leader: int) -> int:
    """Bytes of a component of Airflow; shared memory is counted once (PSS)."""
    total = 0
    for pid in family(leader):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


if __name__ == "__main__":
    sys.exit(main())
