"""The generated files: written at the first download, cached on disk, sent from there.

The seed, the campus, the format and the range of the campus's stream determine a file byte for byte. So the same order
twice gives the same content under two download ids, as observed with the real service.
"""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import IO

from airflow_provider_apscores.sandbox.entries import Generation
from airflow_provider_apscores.sandbox.ledger import Ledger, report_id
from airflow_provider_apscores.sandbox.reports import ReportStream, reporting_year

#: The heading of the ordering institution key, which holds the number of the report.
_KEY = "ordering institution key"


class Archive:
    """The files of one sandbox. Every method may be called from any thread."""

    def __init__(self, ledger: Ledger, folder: Path, *, seed: int) -> None:
        """Keep files of *ledger* in *folder*, an empty folder that the caller deletes."""
        self._ledger = ledger
        self._folder = folder
        self._seed = seed
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def file(self, generation: Generation) -> Path:
        """The file of a generation."""
        part = generation.di_code, generation.start, generation.end
        return self._cached(generation.file_format, part, lambda: self._ledger.reports(*part))

    def file_of_another(self, generation: Generation, di_code: str) -> Path:
        """A file as long as that of *generation*, but of another campus (*di_code*, or any)."""
        count = generation.end - generation.start
        other = di_code or self._another(generation.di_code)
        return self._cached(generation.file_format, (other, "wrong", count), lambda: self._other_records(other, count))

    def file_with_stray(self, generation: Generation, di_code: str) -> Path:
        """The file of a generation with one record of another campus in the middle."""
        part = generation.di_code, generation.start, generation.end
        other = di_code or self._another(generation.di_code)

        def records() -> Iterator[dict[str, str]]:
            right = self._ledger.reports(*part)
            return chain(islice(right, (part[2] - part[1]) // 2), self._other_records(other, 1), right)

        return self._cached(generation.file_format, (*part, "stray", other), records)

    def _another(self, di_code: str) -> str:
        others = [campus.di_code for campus in self._ledger.campuses if campus.di_code != di_code]
        return others[0] if others else f"{9999 - int(di_code):04d}"

    def _other_records(self, di_code: str, count: int) -> Iterator[dict[str, str]]:
        name = next((campus.name for campus in self._ledger.campuses if campus.di_code == di_code), "Another College")
        today = self._ledger.today
        stream = ReportStream(self._seed, di_code, name, reporting_year(today).year)
        return (stream.report(number, today) for number in range(1, count + 1))

    def _cached(
        self, file_format: str, key: tuple[object, ...], records: Callable[[], Iterator[dict[str, str]]]
    ) -> Path:
        path = self._folder / f"{'-'.join(str(part) for part in key)}.{file_format.lower()}"
        with self._lock:
            lock = self._locks.setdefault(path.name, threading.Lock())
        # Two downloads of one file must not write it twice. Other files do not wait.
        with lock:
            if not path.exists():
                part = path.with_suffix(".part")
                with part.open("wb") as file:
                    write_file(file, file_format, records())
                os.replace(part, path)
        return path


def write_file(file: IO[bytes], file_format: str, records: Iterable[Mapping[str, str]]) -> None:
    """Write a score file as College Board would: TXT with 950 characters a line, or CSV with a header."""
    from airflow_provider_apscores.scorefile import csv_header, encode_csv_record, encode_record

    if file_format == "TXT":
        for values in records:
            file.write(encode_record(values) + b"\n")
        return
    file.write(csv_header().encode("ascii") + b"\n")
    for values in records:
        file.write(encode_csv_record(values).encode("ascii") + b"\n")


def reports_in(content: bytes) -> list[str]:
    """Return the ids of the reports in a score file, TXT or CSV, in the order of the file.

    It parses the two fields that it needs itself, so that a test does not depend on the reader under test.

    Raises:
        ValueError: This is not a complete score file.
    """
    lines = content.decode("ascii").splitlines()
    if lines and _KEY in lines[0].lower():
        header, *rows = csv.reader(io.StringIO(content.decode("ascii")))
        names = [name.lower() for name in header]
        code, key = names.index("college code"), names.index(_KEY)
        return [report_id(row[code][-4:].zfill(4), int(row[key])) for row in rows]
    if not lines or any(len(line) != 950 for line in lines):
        raise ValueError("This is not a complete score file: it is empty, or a line does not have 950 characters.")
    return [report_id(line[377:381], int(line[892:900])) for line in lines]
