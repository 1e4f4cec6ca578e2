"""One student among thousands: who has a name, and what was reported over time. Personal data: never log it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scores.current_state import current_state
from airflow_provider_apscores.scores.facts import collect
from airflow_provider_apscores.scores.sources import open_source

if TYPE_CHECKING:
    import pyarrow as pa

#: Characters at which TXT files cut a name.
_LAST_NAME, _FIRST_NAME = 15, 12


@dataclass(frozen=True, slots=True)
class FoundStudent:
    """The latest record of a student at a campus. Its ``repr`` is empty, so that no log shows it.

    Attributes:
        ap_id: The AP ID, or None where the record has none.
        name: Last name, first name and middle initial.
        birth_date: The birth date, or None.
        di_code: The campus, four digits.
        report_date: The day of the report, or None.
        exams: The number of exam scores in the record.
    """

    ap_id: str | None = field(repr=False)
    name: str = field(repr=False)
    birth_date: date | None = field(repr=False)
    di_code: str | None = field(repr=False)
    report_date: date | None = field(repr=False)
    exams: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class StudentHistory:
    """What score files say about one AP ID, as rows of the tables. Its ``repr`` is empty.

    Attributes:
        ap_id: The AP ID.
        students: The latest student record of each campus; then the latest without a campus, if there is one.
        exam_scores: The exam scores that count now; then those without a year or code, which are in no current state.
        awards: The awards.
        reports: The exam scores of all reports, the earliest first, each with ``landed_at`` of its file.
        files: Digests of the files with a record of the student, sorted.
    """

    ap_id: str = field(repr=False)
    students: list[dict[str, Any]] = field(repr=False)
    exam_scores: list[dict[str, Any]] = field(repr=False)
    awards: list[dict[str, Any]] = field(repr=False)
    reports: list[dict[str, Any]] = field(repr=False)
    files: list[str] = field(repr=False)


def find_students(sources: Iterable[Any], name: str) -> list[FoundStudent]:
    """Find students by name.

    Each word of *name* must begin a word of the last or first name. Letter case, diacritics and punctuation do not
    count. A name that a TXT file cut, at 15 or 12 characters, is found by the whole name too.

    Args:
        sources: Score files, or folders of parsed tables.
        name: One or more words, in any order.

    Returns:
        One for each AP ID and campus, sorted by name and birth date.

    Raises:
        ConfigurationError: *name* has no letters, or a source is neither a score file nor a folder of tables.
        ScoreFileMalformed: A file is no score file.
        StorageUnavailable: A source can't be read now.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = _words(name)
    if not wanted:
        raise ConfigurationError("Give a name with at least one letter.")
    facts = _facts(sources)
    students = facts["students"]
    names = [pc.fill_null(students[each].cast(pa.string()), "") for each in ("last_name", "first_name")]
    full = pc.binary_join_element_wise(*names, "\n")
    matching = [each for each in full.unique().to_pylist() if _matches(wanted, *each.split("\n"))]
    rows = students.filter(pc.is_in(full, value_set=pa.array(matching, pa.string()))).to_pylist()
    latest: dict[Any, dict[str, Any]] = {}
    for row in sorted(rows, key=_moment):
        latest[row["ap_id"] or _record(row), row["di_code"]] = row
    exams = _rows_of_records(facts["exam_scores"], latest.values())
    found = [
        FoundStudent(
            row["ap_id"], full_name(row), row["birth_date"], row["di_code"], row["report_date"],
            sum(_record(exam) == _record(row) for exam in exams),
        )
        for row in latest.values()
    ]  # fmt: skip
    return sorted(found, key=lambda each: (each.name, each.birth_date or date.min, str(each.ap_id), str(each.di_code)))


def student_histories(
    sources: Iterable[Any], ap_ids: Iterable[str], *, crosswalk: pa.Table | Mapping[str, str] | None = None
) -> list[StudentHistory]:
    """Collect what was reported about some AP IDs.

    Args:
        sources: Score files, or folders of parsed tables.
        ap_ids: AP IDs. The histories come in their order.
        crosswalk: As for :func:`~airflow_provider_apscores.scores.current_state`. With it, a history has the exam
            scores of all AP IDs of the person.

    Raises:
        ConfigurationError: No file has one of the AP IDs. The message says which by its place, not by its value.
        ScoreFileMalformed: A file is no score file.
        StorageUnavailable: A source can't be read now.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    facts = _facts(sources)
    people = _people(crosswalk)
    histories = []
    for place, ap_id in enumerate(dict.fromkeys(ap_ids), 1):
        mine = {ap_id} | {other for other, person in people.items() if person == people.get(ap_id)}
        own = pa.array(sorted(mine))
        found = dict(facts)
        for name in ("students", "exam_scores", "awards"):
            found[name] = facts[name].filter(pc.is_in(facts[name]["ap_id"].cast(pa.string()), value_set=own))
        if not found["students"].num_rows:
            raise ConfigurationError(f"No score file has AP ID number {place} of those that you asked for.")
        state = current_state(found, crosswalk={each: people[each] for each in mine if each in people} or None)
        landed = dict(
            zip(*(facts["deliveries"][each].to_pylist() for each in ("file_sha256", "landed_at")), strict=True)
        )
        reports = [row | {"landed_at": landed[row["file_sha256"]]} for row in found["exam_scores"].to_pylist()]
        # The current state has a record for each AP ID of the person.
        of_campus = {row["college_code"]: row for row in sorted(state.students.to_pylist(), key=_moment)}
        without_campus = sorted(state.without_key["students"].to_pylist(), key=_moment)[-1:]
        histories.append(
            StudentHistory(
                ap_id,
                [*(of_campus[code] for code in sorted(of_campus)), *without_campus],
                [*state.exam_scores.to_pylist(), *state.without_key["exam_scores"].to_pylist()],
                state.awards.to_pylist(),
                sorted(reports, key=_moment),
                sorted(set(found["students"]["file_sha256"].to_pylist())),
            )
        )
    return histories


def full_name(student: Mapping[str, Any]) -> str:
    """Last name, first name and middle initial of a student record."""
    given = " ".join(filter(None, (student["first_name"], student["middle_initial"])))
    return ", ".join(filter(None, (student["last_name"], given)))


def _facts(sources: Iterable[Any]) -> dict[str, pa.Table]:
    return collect([open_source(each) for each in sources], di_code=None, since=None)


def _people(crosswalk: pa.Table | Mapping[str, str] | None) -> dict[str, str]:
    if crosswalk is None or isinstance(crosswalk, Mapping):
        return dict(crosswalk or {})
    return dict(zip(crosswalk["ap_id"].to_pylist(), crosswalk["person_id"].to_pylist(), strict=True))


def _moment(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What orders the reports of a student, the earliest first."""
    landed = row.get("landed_at") or datetime.min.replace(tzinfo=UTC)
    return row["report_date"] or date.min, landed, row["file_sha256"], row["record_number"]


def _record(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["file_sha256"], row["record_number"]


def _rows_of_records(table: pa.Table, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = {_record(row) for row in records}
    numbers = pa.array(sorted({number for _, number in wanted}), pa.int64())
    rows = table.filter(pc.is_in(table["record_number"], value_set=numbers)).select(["file_sha256", "record_number"])
    return [row for row in rows.to_pylist() if _record(row) in wanted]


def _matches(wanted: list[str], last_name: str, first_name: str) -> bool:
    """Whether each word begins a word of the name, or goes on where the file cut it."""
    words = [*_words(last_name), *_words(first_name)]
    cut = [_words(name)[-1] for name, at in ((last_name, _LAST_NAME), (first_name, _FIRST_NAME)) if len(name) == at]
    return all(
        any(word.startswith(each) for word in words) or any(each.startswith(word) for word in cut) for each in wanted
    )


def _words(text: str) -> list[str]:
    """The words of a name in lower case, without diacritics and punctuation."""
    plain = unicodedata.normalize("NFKD", text.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", ""))
    return re.findall(r"[^\W_]+", "".join(each for each in plain if not unicodedata.combining(each)).casefold())
