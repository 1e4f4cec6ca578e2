"""The state of the sandbox: the reports issued to each campus, the cursor of each account, and the calls.

The rules and their sources (*doc*: College Board's pages; *seen*: observed; *open*: decided here):

* A campus has one stream of reports. A report is issued once and never changes.
* Each account has one cursor a campus (doc). ``new`` is everything after it.
* Only *record* moves the cursor: to the end of the stream at the time the file was generated, and never backwards. The
  reports of a file that was generated or downloaded but not recorded stay new (doc).
* ``full`` is everything since the reporting year began, on 1 July (doc). Recording it moves the cursor as well (open).
* Every generation has its own download id, even if the content is the same (seen). Recording an id again
  succeeds and changes nothing (open); an unknown id is refused.

The state can be kept in a file, so that a restarted sandbox continues where it stopped. The file does not contain the
reports: the seed determines them.
"""

from __future__ import annotations

import json
import os
import threading
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_apscores.sandbox.entries import Audit, Call, Campus, Generation
from airflow_provider_apscores.sandbox.reports import ReportStream, reporting_year

#: College Board adds up to 20 institutions to one account (doc).
MOST_CAMPUSES = 20

_STATE_VERSION = 1


class Ledger:
    """The state of one sandbox. Thread-safe."""

    def __init__(
        self,
        campuses: Iterable[Campus],
        *,
        seed: int,
        today: Callable[[], date],
        state: Path | None = None,
    ) -> None:
        """Create the state, or restore it from the file *state* if that exists.

        Args:
            campuses: With their new reports. A campus in the state file keeps its state.
            seed: Of the students.
            today: The date of the sandbox, for issue dates and the reporting year.
            state: A file to keep the state in, or None.

        Raises:
            ValueError: Too many campuses, one of them twice, or a state file of another seed or version.
        """
        self._lock = threading.RLock()
        self._today = today
        self._state = state
        self._seed = seed
        self._founded = reporting_year(today())
        self._campuses: dict[str, Campus] = {}
        self._issued: dict[str, list[date]] = {}
        self._streams: dict[str, ReportStream] = {}
        self._cursors: dict[str, dict[str, int]] = {}
        self._generations: dict[str, Generation] = {}
        self._recorded: list[str] = []
        self._sent: Counter[str] = Counter()
        self._calls: deque[Call] = deque(maxlen=100_000)
        self._counts: Counter[str] = Counter()
        self._counts_by_campus: dict[str, Counter[str]] = {}
        self._effects: Counter[str] = Counter()
        self._leaks: list[str] = []
        if state is not None and state.exists():
            self._restore(state.read_text(encoding="utf-8"))
        given = list(campuses)
        if len({campus.di_code for campus in given}) < len(given):
            raise ValueError("Name each campus once.")
        for campus in given:
            self.add_campus(campus)

    @property
    def campuses(self) -> list[Campus]:
        """The campuses of the account."""
        return list(self._campuses.values())

    @property
    def today(self) -> date:
        """The date of the sandbox."""
        return self._today()

    @property
    def download_ids(self) -> list[str]:
        """The ids of all generations."""
        with self._lock:
            return list(self._generations)

    # Issuing

    def add_campus(self, campus: Campus) -> None:
        """Add a campus to the account; one that it has already keeps its state.

        Raises:
            ValueError: The account has as many campuses as it can have.
        """
        with self._lock:
            if campus.di_code not in self._campuses:
                self._open_campus(campus)
                self._save()

    def issue(self, di_code: str, count: int) -> list[str]:
        """Issue the next *count* reports to a campus today, and return their ids.

        Raises:
            KeyError: There is no such campus.
        """
        with self._lock:
            issued = self._issued[di_code]
            # The clock of a test may go backwards; the dates of a stream may not.
            day = max([self._today(), *issued[-1:]])
            first = len(issued) + 1
            issued.extend([day] * count)
            self._save()
            return [report_id(di_code, number) for number in range(first, first + count)]

    def waiting(self, di_code: str, account: str) -> int:
        """Return how many reports ``new`` would send to *account* now."""
        with self._lock:
            return len(self._issued[di_code]) - self._cursor(account, di_code)

    def reports(self, di_code: str, start: int = 0, end: int | None = None) -> Iterator[dict[str, str]]:
        """Yield the reports of a campus as values by field name, from index *start* to before *end*."""
        with self._lock:
            issued = self._issued[di_code][start:end]
        for number, day in enumerate(issued, start=start + 1):
            with self._lock:
                values = self._streams[di_code].report(number, day)
            yield values

    # Orders and records

    def generate(self, account: str, di_code: str, file_format: str, download_type: str) -> Generation | None:
        """Generate a file.

        Returns:
            The new generation, or None when there is nothing to send.

        Raises:
            KeyError: The account has no such campus.
        """
        with self._lock:
            start, end = self.extent(account, di_code, download_type)
            if start == end:
                return None
            generation = Generation(
                download_id=str(7_300_001 + len(self._generations)),
                account=account,
                di_code=di_code,
                file_format=file_format,
                download_type=download_type,
                start=start,
                end=end,
                file_name=f"AP_HED_Scores_{di_code}_{self._today():%m%d%Y}_{datetime.now():%H%M}.{file_format.lower()}",
            )
            self._generations[generation.download_id] = generation
            self._effects["order"] += 1
            self._save()
            return generation

    def extent(self, account: str, di_code: str, download_type: str) -> tuple[int, int]:
        """Return the range of a campus's stream that an order would contain now: *start* to before *end*."""
        with self._lock:
            issued = self._issued[di_code]
            if download_type == "new":
                return self._cursor(account, di_code), len(issued)
            return bisect_left(issued, reporting_year(self._today())), len(issued)

    def record(self, account: str, download_id: str, file_format: str) -> bool:
        """Record a download: the commit. Return False if this account has no such download in this format."""
        with self._lock:
            generation = self._generations.get(download_id)
            if generation is None or generation.account != account or generation.file_format != file_format:
                return False
            cursors = self._cursors.setdefault(account, {})
            cursors[generation.di_code] = max(self._cursor(account, generation.di_code), generation.end)
            if download_id not in self._recorded:
                self._recorded.append(download_id)
            self._effects["record"] += 1
            self._save()
            return True

    def generation(self, download_id: str) -> Generation | None:
        """Return a generation by its id, or None."""
        with self._lock:
            return self._generations.get(download_id)

    # Calls

    def add_call(
        self,
        kind: str,
        di_code: str | None,
        status: int,
        success: bool,
        *,
        download_id: str | None = None,
        fault: str | None = None,
    ) -> None:
        """Log a call."""
        with self._lock:
            self._counts[kind] += 1
            if di_code is not None and di_code in self._campuses:
                self._counts_by_campus.setdefault(di_code, Counter())[kind] += 1
            number = self._counts.total()
            self._calls.append(Call(number, kind, di_code, status, success, download_id, fault))

    def add_login(self) -> None:
        """Count an issued token."""
        with self._lock:
            self._effects["login"] += 1

    def add_sent(self, download_id: str) -> None:
        """Count a file that was sent completely and undamaged."""
        with self._lock:
            self._effects["download"] += 1
            self._sent[download_id] += 1
            self._save()

    def add_leak(self, what: str) -> None:
        """Log a secret that arrived at another host."""
        with self._lock:
            self._leaks.append(what)

    @property
    def counts(self) -> dict[str, int]:
        """How many calls of each kind arrived: ``login``, ``order``, ``download``, ``record``."""
        with self._lock:
            return {kind: self._counts[kind] for kind in ("login", "order", "download", "record")}

    @property
    def calls(self) -> list[Call]:
        """The latest calls, oldest first."""
        with self._lock:
            return list(self._calls)

    def audit(self) -> Audit:
        """Return the current state."""
        with self._lock:
            return Audit(
                issued={
                    di_code: [report_id(di_code, number) for number in range(1, len(days) + 1)]
                    for di_code, days in self._issued.items()
                },
                generated={key: self._generated(generation) for key, generation in self._generations.items()},
                recorded=list(self._recorded),
                cursors={account: dict(places) for account, places in self._cursors.items()},
                calls=self.counts,
                calls_by_campus={di_code: dict(counts) for di_code, counts in self._counts_by_campus.items()},
                effects={kind: self._effects[kind] for kind in ("login", "order", "download", "record")},
                leaks=list(self._leaks),
            )

    def _generated(self, generation: Generation) -> dict[str, Any]:
        places = range(generation.start + 1, generation.end + 1)
        return {
            "account": generation.account,
            "di_code": generation.di_code,
            "file_format": generation.file_format,
            "download_type": generation.download_type,
            "file_name": generation.file_name,
            "reports": [report_id(generation.di_code, number) for number in places],
            "sent": self._sent[generation.download_id],
            "recorded": generation.download_id in self._recorded,
        }

    def _cursor(self, account: str, di_code: str) -> int:
        return self._cursors.get(account, {}).get(di_code, 0)

    def _open_campus(self, campus: Campus, issued: list[date] | None = None) -> None:
        if len(self._campuses) >= MOST_CAMPUSES:
            raise ValueError(f"An account has at most {MOST_CAMPUSES} campuses.")
        if issued is None:
            issued = _first_days(campus, self._founded, self._today())
        self._campuses[campus.di_code] = campus
        self._issued[campus.di_code] = issued
        self._streams[campus.di_code] = ReportStream(self._seed, campus.di_code, campus.name, self._founded.year)

    # The state file

    def _save(self) -> None:
        if self._state is None:
            return
        state = {
            "version": _STATE_VERSION,
            "seed": self._seed,
            "founded": self._founded.isoformat(),
            "campuses": [
                {"di_code": campus.di_code, "name": campus.name, "issued": _in_runs(self._issued[campus.di_code])}
                for campus in self._campuses.values()
            ],
            "cursors": self._cursors,
            "generations": [asdict(generation) for generation in self._generations.values()],
            "recorded": self._recorded,
            "sent": self._sent,
        }
        # A temporary file, then a rename: after a kill the file holds the state before or after, never a part of it.
        self._state.parent.mkdir(parents=True, exist_ok=True)
        part = self._state.with_name(f".{self._state.name}.part-{os.getpid()}")
        part.write_text(json.dumps(state), encoding="utf-8")
        os.replace(part, self._state)

    def _restore(self, text: str) -> None:
        try:
            state = json.loads(text)
        except ValueError:
            state = None
        if not isinstance(state, dict) or state.get("version") != _STATE_VERSION:
            raise ValueError(f"{self._state} is not a state file of this version of the sandbox.")
        if state["seed"] != self._seed:
            raise ValueError(f"{self._state} belongs to seed {state['seed']}; this sandbox has seed {self._seed}.")
        self._founded = date.fromisoformat(state["founded"])
        for kept in state["campuses"]:
            issued = [date.fromisoformat(day) for day, count in kept["issued"] for _ in range(count)]
            self._open_campus(Campus(kept["di_code"], kept["name"], len(issued)), issued)
        self._cursors = state["cursors"]
        self._generations = {kept["download_id"]: Generation(**kept) for kept in state["generations"]}
        self._recorded = state["recorded"]
        self._sent = Counter(state["sent"])


def report_id(di_code: str, number: int) -> str:
    """Return the id of a report; *number* is also its ordering institution key in the file."""
    return f"{di_code}-{number:08d}"


def _first_days(campus: Campus, began: date, today: date) -> list[date]:
    """Return the issue dates of the first reports: in spring, and from 5 July on, but none after *today*."""
    spring = [began - timedelta(days=90 - 60 * place // campus.earlier) for place in range(campus.earlier)]
    summer = [began + timedelta(days=4 + 40 * place // campus.reports) for place in range(campus.reports)]
    return spring + [min(day, today) for day in summer]


def _in_runs(days: list[date]) -> list[tuple[str, int]]:
    return [(day.isoformat(), count) for day, count in sorted(Counter(days).items())]
