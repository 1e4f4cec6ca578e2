"""The score reports of a campus, determined by a seed.

A campus has a *stream* of reports, numbered from 1. Most are the first report of a student to that campus. Some are
later reports of an earlier student: they contain the entire exam history again, with what changed since, see
:class:`Change`. A report depends only on the seed, the campus, its number and its date.
"""

# Nothing here is secret: every draw must be reproducible.
# ruff: noqa: S311

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum
from random import Random

from airflow_provider_apscores.sandbox.student_data import DELAYED_CODES, SUBSCORES
from airflow_provider_apscores.sandbox.students import Exam, Student, ap_id, college, student

#: Share of a campus's reports that are later reports of an earlier student.
_LATER = 0.12
#: Share of later reports that are of a student whose reports change, while there are such students.
_CHANGED = 0.7


class Change(Enum):
    """What changes in a student's reports after the first one.

    College Board does not document whether a canceled score keeps its row, with code 94, or leaves the reports. So both
    occur.
    """

    DELAYED = "the newest score is delayed at first, and arrives later"
    CANCELED = "the oldest score and its subscores are canceled, and their rows stay"
    REMOVED = "the oldest exam and its subscores are in no later report"
    AP_ID = "reports of another reporting year have another AP ID"


#: Share of students with each change; nothing changes for the others.
_CHANGES = {Change.DELAYED: 0.12, Change.CANCELED: 0.05, Change.REMOVED: 0.05, Change.AP_ID: 0.05}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One report of a stream: its student, and which of that student's reports it is (0 is the first)."""

    student: int
    edition: int
    change: Change | None


@dataclass(slots=True)
class ReportStream:
    """The reports of one campus, in order.

    Attributes:
        seed: Determines all reports.
        di_code: The campus.
        name: Of the college, as in its records.
        founded: The reporting year in which the sandbox started, by the year of its newest exams. It fixes the exam
            histories, so that they stay the same over the years.
    """

    seed: int
    di_code: str
    name: str
    founded: int
    _entries: list[_Entry] = field(default_factory=list)
    _changing: list[int] = field(default_factory=list)
    _editions: dict[int, _Entry] = field(default_factory=dict)

    def report(self, number: int, issued: date) -> dict[str, str]:
        """Return the values of report *number* by field name.

        Args:
            number: Its position in the stream, from 1.
            issued: The day on which College Board issued it.
        """
        while len(self._entries) < number:
            self._extend()
        entry = self._entries[number - 1]
        key = int(self.di_code) * 200_000 + entry.student
        person = student(self.seed, key, self.founded)
        values = {**person.values, **college(self.seed, self.di_code, self.name)}
        newest = reporting_year(issued).year
        if entry.change is Change.AP_ID:
            # Unique for four years and 50,000 students.
            values["ap_id"] = ap_id(key + (newest - self.founded) % 4 * 50_000)
        values |= _exam_slots(person, entry, newest) | _awards(person, newest)
        ordered = issued - timedelta(days=1)
        values["released_date"] = f"{ordered:%m%d%y}"
        values["student_update_date"] = f"{ordered - timedelta(days=number % 9):%m%d%y}"
        values["report_date"] = f"{issued:%m%d%y}"
        values["service_type"] = "01"
        values["service_code"] = "0001"
        values["ordering_institution_key"] = f"{number:08d}"
        return values

    def _extend(self) -> None:
        place = len(self._entries)
        random = Random(f"{self.seed}/{self.di_code}/{place}")
        if place > 4 and random.random() < _LATER:
            if self._changing and random.random() < _CHANGED:
                # The longest wait ends first; sometimes the shortest, often on the day of the first report.
                who = self._changing.pop(0 if random.random() < 0.7 else -1)
            else:
                who = self._entries[random.randrange(place)].student
            last = self._editions[who]
            entry = _Entry(who, last.edition + 1, last.change)
        else:
            (change,) = random.choices((*_CHANGES, None), (*_CHANGES.values(), 1 - sum(_CHANGES.values())))
            entry = _Entry(len(self._editions), 0, change)
            if change:
                self._changing.append(entry.student)
        self._editions[entry.student] = entry
        self._entries.append(entry)


def reporting_year(day: date) -> date:
    """Return the 1 July on which the reporting year of *day* began."""
    return date(day.year if day.month >= 7 else day.year - 1, 7, 1)


def _exam_slots(person: Student, entry: _Entry, newest: int) -> dict[str, str]:
    """Return the exam slots of one report: the exams and scores known at that time."""
    values: dict[str, str] = {}
    known = [exam for exam in person.exams if exam.year <= newest]
    is_first = entry.edition == 0
    if entry.change is Change.REMOVED and not is_first:
        known = known[: _oldest(known)] or known
    late: tuple[str, ...] = ()
    if entry.change is Change.DELAYED and is_first:
        # The newest exam, with its subscores.
        late = (known[0].code, *SUBSCORES.get(known[0].code, ()))
    slot = 0
    for place, exam in enumerate(known):
        score, notes = exam.score, exam.notes
        if exam.code in late:
            score, notes = "", (DELAYED_CODES[int(exam.code) % len(DELAYED_CODES)], *notes[:1])
        if entry.change is Change.CANCELED and not is_first and place >= _oldest(known):
            score, notes = "", ("94",)
        slot += 1
        if person.gap is not None and slot == person.gap + 1:
            slot += 1
        values[f"admin_year_{slot:02d}"] = f"{exam.year % 100:02d}"
        values[f"exam_code_{slot:02d}"] = exam.code
        values[f"exam_grade_{slot:02d}"] = score
        for which, note in enumerate(notes[:2], start=1):
            values[f"irregularity_{which}_{slot:02d}"] = note
    return values


def _oldest(exams: list[Exam]) -> int:
    """Return the index of the oldest exam. Its subscores follow it."""
    parts = {part for subscores in SUBSCORES.values() for part in subscores}
    return max(place for place, exam in enumerate(exams) if exam.code not in parts)


def _awards(person: Student, newest: int) -> dict[str, str]:
    """Return the awards, most recent first; a year can have several."""
    passed = [
        exam
        for exam in person.exams
        if exam.score >= "3" and exam.year <= newest and exam.code not in ("69", "76", "77")
    ]
    won: list[tuple[str, int]] = []
    for year in sorted({exam.year for exam in passed}, reverse=True):
        so_far = [exam for exam in passed if exam.year <= year]
        codes = {exam.code for exam in so_far}
        if {"22", "23"} <= codes:
            won.append(("13" if len(codes) >= 6 else "14", year))
        if len(so_far) >= 5:
            won.append(("03", year))
        elif len(so_far) >= 4:
            won.append(("02", year))
        elif len(so_far) >= 3:
            won.append(("01", year))
    values: dict[str, str] = {}
    for place, (award, year) in enumerate(won[:6], start=1):
        values[f"award_type_{place}"] = award
        values[f"award_year_{place}"] = f"{year % 100:02d}"
    return values
