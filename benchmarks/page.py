"""How long the page in the Airflow UI takes: 20 campuses with three years of daily deliveries.

A real API server answers on this machine, with SQLite. The time is that of a request until the first byte. The same
work is then done in this process, to tell the time of a processor, which other programs change less.
"""

from __future__ import annotations

import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from airflow_provider_apscores.plugin.database import read_report
from airflow_provider_apscores.report import render
from airflow_provider_apscores.scorefile import EXAMS
from tests.plugin.events import LARGE, Writer
from tests.plugin.server import Server, migrated, server

CAMPUSES, DAYS, RUNS = 20, 3 * 365, 9


def fill(session: Any, now: datetime) -> None:
    """Write three years of events, and a status of each campus."""
    writer = Writer(session)
    scores = {exam.code: LARGE for exam in EXAMS}
    for campus in range(CAMPUSES):
        for day in range(DAYS):
            large = scores if day % 90 == 80 else None
            writer.day(f"{1000 + campus}", now - timedelta(days=DAYS - day, minutes=5), 10 + day % 50, large)
        status = {"landed_at": now.isoformat(), "records": 10, "pending_since": None, "errors": {}}
        writer.store("apscores://all/status", f"{1000 + campus}", status)
    session.commit()


def first_byte(running: Server) -> float:
    parts = urlsplit(running.address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.connect()
    started = time.perf_counter()
    connection.request(
        "GET", f"{parts.path}/apscores/", headers={"Authorization": f"Bearer {running.tokens['viewer']}"}
    )
    answer = connection.getresponse()
    answer.read(1)
    elapsed = time.perf_counter() - started
    assert answer.status == 200
    connection.close()
    return elapsed


def median(measure: Callable[[], float]) -> str:
    return f"{statistics.median(measure() for _ in range(RUNS)) * 1000:.0f} ms"


def main() -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        env = migrated(Path(folder) / "airflow")
        engine = create_engine(env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        with Session(engine) as session:
            fill(session, now)
        with server(env) as running:
            first = first_byte(running)
            print(f"first request: {first * 1000:.0f} ms; it builds the application")
            print(f"median of {RUNS} requests, to the first byte: {median(lambda: first_byte(running))}")

        def processor() -> float:
            started = time.process_time()
            with Session(engine) as session:
                render(read_report(session, now))
            return time.process_time() - started

        print(f"time of a processor: {median(processor)}; load of the machine: {os.getloadavg()[0]:.1f}")
        with Session(engine) as session:
            report = read_report(session, now)
        deliveries = sum(len(campus.deliveries) for campus in report.campuses)
        print(f"{len(report.campuses)} campuses, {deliveries:,} deliveries, {len(render(report)):,} characters of HTML")


if __name__ == "__main__":
    main()
