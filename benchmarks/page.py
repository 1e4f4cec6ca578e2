"""How long the page in the Airflow UI takes: 20 campuses with three years of daily deliveries.

The metadata database is SQLite. The time is that of the request: read the events, make the page, encode it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from airflow_provider_apscores.plugin.database import read_report
from airflow_provider_apscores.report import render
from airflow_provider_apscores.scorefile import EXAMS
from tests.plugin.events import LARGE, Writer, database

CAMPUSES, DAYS, RUNS = 20, 3 * 365, 7


def main() -> None:
    now = datetime.now(UTC)
    scores = {exam.code: LARGE for exam in EXAMS}
    with tempfile.TemporaryDirectory() as folder, database(Path(folder) / "airflow.db") as session:
        writer = Writer(session)
        for campus in range(CAMPUSES):
            for day in range(DAYS):
                large = scores if day % 90 == 80 else None
                writer.day(f"{1000 + campus}", now - timedelta(days=DAYS - day, minutes=5), 10 + day % 50, large)
            status = {"landed_at": now.isoformat(), "records": 10, "pending_since": None, "last_error": None}
            writer.store("apscores://all/status", f"{1000 + campus}", status)
        session.commit()
        times = []
        for _ in range(RUNS):
            session.expunge_all()
            started = time.perf_counter()
            report = read_report(session, now)
            read = time.perf_counter()
            size = len(render(report).encode())
            times.append((time.perf_counter() - started, read - started))
    whole, reading = sorted(times)[RUNS // 2]
    deliveries = sum(len(campus.deliveries) for campus in report.campuses)
    print(f"{len(report.campuses)} campuses, {deliveries:,} deliveries of the last year, {size:,} bytes of HTML")
    print(f"median of {RUNS}: {whole * 1000:.0f} ms, of which the database takes {reading * 1000:.0f} ms")


if __name__ == "__main__":
    main()
