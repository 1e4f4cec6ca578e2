"""The current state in Arrow: for each key the row that counts, see ``definition.py``.

Everything that decides is made a number first, and NumPy sorts and compares numbers: the strings of some million rows
are touched once, when their codes are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scores.definition import COLUMNS, KEYS, NO_PROOF, OF_A_PERSON
from airflow_provider_apscores.scores.facts import Source, collect

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

#: Stands for a null where the latest comes first: it comes last.
_LAST = 1 << 62
#: More than any file has records.
_RECORDS = 1 << 40


@dataclass(frozen=True, slots=True)
class CurrentState:
    """What counts now. Rows are in the order of their keys.

    Attributes:
        exam_scores: One row for each campus, person, administration year and exam; ``withdrawn`` says which are gone.
        students: One row for each campus and AP ID: the latest student record.
        awards: One row for each campus, person, award and year.
        without_key: By table, the rows that have a null in their key, as they are in the files.
    """

    exam_scores: pa.Table
    students: pa.Table
    awards: pa.Table
    without_key: dict[str, pa.Table] = field(repr=False)

    def counts(self) -> dict[str, int]:
        """Numbers of rows, without personal data: by table, ``withdrawn``, and ``<table>_without_key``."""
        import pyarrow.compute as pc

        tables = {"exam_scores": self.exam_scores, "students": self.students, "awards": self.awards}
        counts = {name: table.num_rows for name, table in tables.items()}
        counts["withdrawn"] = pc.sum(self.exam_scores["withdrawn"]).as_py() or 0
        return counts | {f"{name}_without_key": table.num_rows for name, table in self.without_key.items()}


def current_state(
    sources: Source | Iterable[Source],
    *,
    crosswalk: pa.Table | Mapping[str, str] | None = None,
    di_code: str | None = None,
    since: datetime | None = None,
) -> CurrentState:
    """Compute the current state of all score files in *sources*.

    Args:
        sources: One or more folders that the parse step wrote Parquet tables to (a path, a URI or a path object), or
            mappings of Arrow tables by name, such as those of a ``ScoreFile``, with ``deliveries`` among them.
        crosswalk: Which AP IDs are one person: a table with ``ap_id`` and ``person_id``, or a mapping of the one to the
            other. An AP ID that it lacks stands for itself.
        di_code: One campus only, four digits.
        since: Only files that landed at this moment or later.

    Raises:
        ConfigurationError: An AP ID is twice in the crosswalk; or the tables are incomplete, see the message.
        StorageUnavailable: A folder can't be read.
    """
    import pyarrow as pa

    single = isinstance(sources, str | Mapping) or hasattr(sources, "__fspath__") or hasattr(sources, "fs")
    facts = collect([sources] if single else sources, di_code=di_code, since=since)
    people = _people(crosswalk)
    numbers = _Numbers(facts)
    chosen, without_key = {}, {}
    for name, key in KEYS.items():
        rows = facts[name]
        has_key = _all_valid(rows, key)
        without_key[name] = _plain(rows.filter(pa.array(~has_key)), rows.schema.names)
        chosen[name] = _chosen(name, rows, has_key, numbers, people)
    return CurrentState(**chosen, without_key=without_key)


class _Numbers:
    """The rows of the facts as numbers: which file, which record, which day."""

    def __init__(self, facts: dict[str, pa.Table]) -> None:
        import numpy as np

        deliveries = facts["deliveries"]  # sorted by digest, so that a file's number is also its digest's rank
        self.facts = facts
        self._files = {digest: number for number, digest in enumerate(deliveries["file_sha256"].to_pylist())}
        self.landed_at = deliveries["landed_at"]
        self.landings = _latest_first(self.landed_at.cast("int64"))
        self.exam_slots = deliveries["exam_slots"].fill_null(0).to_numpy()
        students = facts["students"]
        self._order = np.argsort(self.records("students"), kind="stable")
        self._records = self.records("students")[self._order]
        self.report_dates = _days(students["report_date"])

    def files(self, table: str) -> np.ndarray[Any, Any]:
        """For each row of *table*, the number of its file in ``deliveries``."""
        import numpy as np

        codes, values = _codes(self.facts[table]["file_sha256"])
        numbers: np.ndarray[Any, Any] = np.array([*(self._files[each] for each in values), 0], dtype=np.int64)[codes]
        return numbers

    def records(self, table: str) -> np.ndarray[Any, Any]:
        """For each row of *table*, a number of its student record that is the same in all tables."""
        numbers: np.ndarray[Any, Any] = self.files(table) * _RECORDS + self.facts[table]["record_number"].to_numpy()
        return numbers

    def students(self, table: str) -> np.ndarray[Any, Any]:
        """For each row of *table*, the row in ``students`` that it belongs to."""
        import numpy as np

        records = self.records(table)
        places = np.searchsorted(self._records, records)
        if len(places) and (places.max() == len(self._records) or (self._records[places] != records).any()):
            raise ConfigurationError(f"The table {table} has rows of records that are not in the table students.")
        return self._order[places]


def _chosen(name: str, rows: pa.Table, has_key: Any, numbers: _Numbers, people: dict[str, str]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    is_exam = name == "exam_scores"
    files = numbers.files(name)
    landed = numbers.landings[files]
    days = numbers.report_dates[numbers.students(name)] if name == "awards" else _days(rows["report_date"])
    position = rows["position"].to_numpy() if name != "students" else np.zeros(len(files))
    who = people if name in OF_A_PERSON else {}
    key = _group(*(_codes(rows[column], who if column == "ap_id" else {})[0] for column in KEYS[name]))
    # The last of these decides first.
    order = np.lexsort((files, position, -rows["record_number"].to_numpy(), landed, days, key))
    order = order[has_key[order]]
    first = np.ones(len(order), dtype=bool)
    first[1:] = key[order[1:]] != key[order[:-1]]
    winners = np.sort(order[first])
    added: dict[str, Any] = {
        "landed_at": numbers.landed_at.take(pa.array(files[winners])),
        "person_id": pa.array([people.get(ap_id) for ap_id in rows["ap_id"].take(winners).to_pylist()], pa.string()),
    }
    if name == "awards":
        dates = numbers.facts["students"]["report_date"]
        added["report_date"] = dates.take(pa.array(numbers.students(name)[winners]))
    if is_exam:
        added["withdrawn"] = pa.array(_withdrawn(numbers)[winners])
    found = rows.take(pa.array(winners))
    for column, values in added.items():
        found = found.append_column(column, values)
    found = _plain(found, [column.name for column in COLUMNS[name]])
    return found.sort_by([(column, "ascending") for column in KEYS[name]])


def _withdrawn(numbers: _Numbers) -> np.ndarray[Any, Any]:
    """For each exam score, whether the student's latest report date proves that it is gone."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    facts = numbers.facts
    students, exams, problems = facts["students"], facts["exam_scores"], facts["problems"]
    of_student = numbers.students("exam_scores")
    ids = ("college_code", "ap_id")
    student = _group(*(_codes(students[column])[0] for column in ids))
    is_someone = _all_valid(students, ids)
    # Days count down, see _days: the latest is the lowest.
    days = numbers.report_dates
    latest = np.full(len(students), _LAST)
    np.minimum.at(latest, student, days)
    is_latest = is_someone & (days != _LAST) & (days == latest[student])

    wrong = pc.or_(
        pc.equal(problems["severity"].cast(pa.string()), "error"),
        pc.is_in(problems["kind"].cast(pa.string()), value_set=pa.array(NO_PROOF)),
    )
    defects = numbers.records("problems")[wrong.to_numpy()]
    is_full = np.bincount(of_student, minlength=len(students)) >= numbers.exam_slots[numbers.files("students")]
    no_proof = is_latest & (is_full | np.isin(numbers.records("students"), defects))
    proven = np.zeros(len(students), dtype=bool)
    proven[student[is_latest]] = True
    proven[student[no_proof]] = False

    exam = _group(student[of_student], *(_codes(exams[column])[0] for column in ("admin_year", "exam_code")))
    kept = np.unique(exam[is_latest[of_student] & _all_valid(exams, KEYS["exam_scores"])])
    withdrawn: np.ndarray[Any, Any] = proven[student[of_student]] & ~np.isin(exam, kept)
    return withdrawn


def _people(crosswalk: pa.Table | Mapping[str, str] | None) -> dict[str, str]:
    if crosswalk is None or isinstance(crosswalk, Mapping):
        return dict(crosswalk or {})
    people = dict(zip(crosswalk["ap_id"].to_pylist(), crosswalk["person_id"].to_pylist(), strict=True))
    if len(people) != crosswalk.num_rows:
        raise ConfigurationError("The crosswalk has an AP ID twice. Each AP ID belongs to one person.")
    if None in people or None in people.values():
        raise ConfigurationError("The crosswalk has a row without an AP ID or a person.")
    return people


def _codes(column: pa.ChunkedArray, names: Mapping[str, str] | None = None) -> tuple[np.ndarray[Any, Any], list[Any]]:
    """A number for each value of *column*, and the values; *names* says which values are the same as another one.

    A null has a number of its own.
    """
    import numpy as np
    import pyarrow as pa

    array = column.combine_chunks()
    if not isinstance(array.type, pa.DictionaryType):
        array = array.dictionary_encode()
    values = array.dictionary.to_pylist()
    codes = array.indices.fill_null(len(values)).to_numpy(zero_copy_only=False).astype(np.int64)
    if names:
        meant: dict[Any, int] = {}
        again = [meant.setdefault(names.get(value, value), len(meant)) for value in values]
        codes, values = np.array([*again, len(meant)], dtype=np.int64)[codes], list(meant)
    return codes, values


def _group(*codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One number for each combination of *codes*, from 0 up."""
    import numpy as np

    group = codes[0]
    for more in codes[1:]:
        combined = group * (int(more.max()) + 1 if len(more) else 1) + more
        group = np.unique(combined, return_inverse=True)[1].astype(np.int64)
    return group


def _days(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Dates as numbers that sort the latest first and nulls last."""
    return _latest_first(column.cast("int32").cast("int64"))


def _latest_first(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    import pyarrow.compute as pc

    numbers: np.ndarray[Any, Any] = pc.fill_null(pc.negate(column), _LAST).to_numpy()
    return numbers


def _all_valid(rows: pa.Table, columns: Iterable[str]) -> np.ndarray[Any, Any]:
    """For each row, whether none of *columns* is null."""
    import numpy as np

    valid = [rows[column].is_valid().combine_chunks().to_numpy(zero_copy_only=False) for column in columns]
    mask: np.ndarray[Any, Any] = np.logical_and.reduce(valid)
    return mask


def _plain(rows: pa.Table, columns: Iterable[str]) -> pa.Table:
    """*rows* with the columns in order, and strings where they were dictionary-encoded."""
    import pyarrow as pa

    rows = rows.select(list(columns))
    return rows.cast(
        pa.schema(
            [
                pa.field(each.name, each.type.value_type if isinstance(each.type, pa.DictionaryType) else each.type)
                for each in rows.schema
            ]
        )
    )
