"""Count the requests to an S3 server, and measure time and memory, behind a year of 20 campuses.

    python benchmarks/object_store.py [ledger] [parse] [full]

* ``ledger``: read 10,000 deliveries.
* ``parse``: parse a daily file into an empty folder, and into one that holds a year of 20 campuses.
* ``full``: parse a file of 1,000,000 records.

The server is moto in a process of its own. It answers some hundred requests a second, so the times are mostly its own.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_apscores.scorefile import TABLES, encode_record

CAMPUSES = range(4800, 4820)
DAYS = 365


def main(wanted: list[str]) -> None:
    """Run the measurements that were asked for; all without names."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    address = ours.recv()

    def requests() -> list[str]:
        """The requests since the last call."""
        ours.send("requests")
        return ours.recv()

    for name in wanted or ["ledger", "parse", "full"]:
        globals()[f"measure_{name}"](ours, requests, context, address)
    ours.send("end")


def measure_ledger(server: Any, requests: Callable[[], list[str]], context: Any, address: str) -> None:
    """Read 10,000 deliveries of 20 campuses."""
    server.send("fill_ledger")
    server.recv()
    requests()
    _run(context, read_ledger, address)
    asked = requests()
    manifests = sum(".manifest.json" in each for each in asked)
    print(f"ledger: {manifests} requests for manifests, {len(asked) - manifests} others")


def measure_parse(server: Any, requests: Callable[[], list[str]], context: Any, address: str) -> None:
    """Parse a daily file into an empty folder, and into a full one."""
    content = b"".join(encode_record({"ap_id": f"FK{n:06}", "college_code": "004800"}) + b"\n" for n in range(200))
    for campus_days in (0, len(CAMPUSES) * DAYS):
        server.send(f"fill_tables {campus_days}")
        server.recv()
        _store(address).pipe_file("scores/landed/scores.txt", content)
        requests()
        _run(context, parse, address)
        print(f"parse behind {campus_days} files in each table: {len(requests())} requests")


def measure_full(server: Any, requests: Callable[[], list[str]], context: Any, address: str) -> None:
    """Parse a file of 1,000,000 records."""
    from score_files_data import write

    with tempfile.TemporaryDirectory() as folder:
        write(1_000_000, Path(folder) / "scores.txt")
        server.send(f"land {folder}/scores.txt")
        server.recv()
    requests()
    _run(context, parse, address)
    print(f"1,000,000 records: {len(requests())} requests")


def read_ledger(address: str) -> None:
    """Ask what the command ``apscores ledger`` asks."""
    from airflow_provider_apscores.delivery import APScoresLedger
    from tests.s3_server import S3Path

    snapshot = APScoresLedger(S3Path(_store(address), "scores/files")).snapshot()
    found = len(snapshot.deliveries), len(snapshot.pending), len(snapshot.changed), len(snapshot.orphans)
    print("deliveries, pending, changed, orphans:", *found)


def parse(address: str) -> None:
    """Parse the landed file."""
    from airflow_provider_apscores.scorefile import write_tables
    from tests.s3_server import S3Path

    store = _store(address)
    written = write_tables(S3Path(store, "scores/landed/scores.txt"), S3Path(store, "scores/tables"))
    print("records:", written.records)


def _run(context: Any, function: Callable[[str], None], address: str) -> None:
    process = context.Process(target=_measured, args=(function, address))
    process.start()
    process.join()
    assert process.exitcode == 0


def _measured(function: Callable[[str], None], address: str) -> None:
    import pyarrow.parquet  # noqa: F401 -- starting up does not count
    import s3fs  # noqa: F401

    began = time.perf_counter()
    function(address)
    took = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{function.__name__}: {took:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of a processor), "
        f"peak memory {used.ru_maxrss / 1024:.0f} MB"
    )


def _store(address: str) -> Any:
    from tests.s3_server import s3_file_system

    return s3_file_system(address)


def serve(pipe: Any) -> None:
    """The server's process: fills its bucket, and tells its requests."""
    from moto.s3.models import s3_backends

    from tests.s3_server import S3Server

    server = S3Server()
    threading.Thread(target=server.server.serve_forever, daemon=True).start()
    server.store()
    pipe.send(server.address)
    bucket = next(iter(s3_backends.values()))["aws"]
    while (command := pipe.recv()) != "end":
        if command == "requests":
            pipe.send(list(server.requests))
            server.requests.clear()
        elif command == "fill_ledger":
            _fill_ledger(bucket)
            pipe.send(None)
        elif command.startswith("land "):
            bucket.put_object("scores", "landed/scores.txt", Path(command.split()[1]).read_bytes())
            pipe.send(None)
        else:
            for table in (*TABLES, "deliveries"):
                for number in range(int(command.split()[1])):
                    bucket.put_object("scores", f"tables/{table}/4800-{number:012x}.parquet", b"rows")
            pipe.send(None)


def _fill_ledger(bucket: Any) -> None:
    from airflow_provider_apscores.delivery import Manifest

    for number in range(10_000):
        campus, day = CAMPUSES[number % len(CAMPUSES)], number // len(CAMPUSES)
        delivery = hashlib.sha256(b"%d" % number).hexdigest()
        moment = f"2026-{day // 28 % 12 + 1:02}-{day % 28 + 1:02}T06:15:00Z"
        manifest = Manifest(
            di_code=str(campus),
            file_format="TXT",
            download_type="new",
            download_id=str(number),
            file_name=f"AP_HED_Scores_{campus}.txt",
            file=f"scores-{delivery[:12]}.txt",
            bytes=5,
            sha256=delivery,
            records=1,
            layout="950",
            landed_at=moment,
            record_began_at=moment,
            recorded_at=moment,
            dag_id="ap",
            task_id="download",
            run_id=f"day-{day}",
            map_index=-1,
            try_number=1,
            provider_version="0.1.0",
        )
        folder = f"files/{campus}/day-{day}-0123456789"
        bucket.put_object("scores", f"{folder}/{manifest.file}", b"score")
        bucket.put_object("scores", f"{folder}/{manifest.name}", manifest.to_json())
        bucket.put_object("scores", f"files/{campus}/.digests/{delivery}", f"{folder}/{manifest.name}".encode())


if __name__ == "__main__":
    main(sys.argv[1:])
