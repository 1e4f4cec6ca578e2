"""Exam scores as numbers, sorted by their key: what the evaluation works on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

#: The columns of the current state that decide.
COLUMNS = (
    "ap_id", "college_code", "admin_year", "exam_code", "score", "status", "person_id", "withdrawn",
)  # fmt: skip


class Scores:
    """One value a row in each array.

    Attributes:
        person: A number for each person at each campus, below *people*.
        people: How many those are.
        exam: The place of the exam code in *exams*.
        exams: The exam codes.
        year: Administration year.
        score: 1 to 5, or 0 where there is none.
        status: The place of the status in *statuses*.
        statuses: The statuses.
        withdrawn: Whether the exam is gone.
        entry: Day of entry, in days since 1970; NO_ENTRY where there is none.
    """

    NO_ENTRY = -(1 << 31)

    def __init__(self, exam_scores: pa.Table, entry_dates: Mapping[str, date]) -> None:
        import numpy as np
        import pyarrow.compute as pc

        missing = [name for name in COLUMNS if name not in exam_scores.column_names]
        if missing:
            raise ConfigurationError(
                f"The exam scores lack {', '.join(missing)}. Give the exam scores of the current state."
            )
        rows = exam_scores.select(COLUMNS)
        college, colleges = _ranks(rows["college_code"])
        student, students = _ranks(rows["ap_id"])
        exam, exams = _ranks(rows["exam_code"])
        year = rows["admin_year"].combine_chunks()
        if year.null_count or None in (*colleges, *students, *exams):
            raise ConfigurationError("An exam score has no key. Give the exam scores of the current state.")
        year = year.to_numpy().astype(np.int64)
        key = ((college * len(students) + student) * 10_000 + year) * len(exams) + exam
        order = np.argsort(key, kind="stable")
        if (np.diff(key[order]) == 0).any():
            raise ConfigurationError("An exam score is there twice. Give the exam scores of the current state.")
        self._order = order
        self._rows = rows
        self._codes = {"college_code": (college, colleges), "exam_code": (exam, exams)}
        person = student
        if rows["person_id"].null_count < len(rows):
            person = _ranks(pc.coalesce(rows["person_id"], rows["ap_id"].cast("string")))[0]
        person, self.people = _numbered(college * (int(person.max(initial=0)) + 1) + person)
        self.person = person[order]
        self.exam, self.exams = exam[order], exams
        self.year = year[order]
        self.score = pc.fill_null(rows["score"], 0).to_numpy()[order].astype(np.int8)
        status, self.statuses = _ranks(pc.fill_null(rows["status"].cast("string"), "unknown"))
        self.status = status[order]
        self._codes["status"] = (status, self.statuses)
        self.withdrawn = pc.fill_null(rows["withdrawn"], False).to_numpy()[order]
        self.entry = self._entries(student, students, person, entry_dates)[order]

    def _entries(self, student: Array, students: list[str], person: Array, dates: Mapping[str, date]) -> Array:
        """The date of the AP ID; without one, the earliest of the person's other AP IDs."""
        import numpy as np

        if not dates:
            return np.full(len(student), self.NO_ENTRY, dtype=np.int64)
        none = 1 << 31
        days = {ap_id: (day - date(1970, 1, 1)).days for ap_id, day in dates.items()}
        own = np.array([days.get(ap_id, none) for ap_id in students], dtype=np.int64)[student]
        earliest = np.full(self.people, none, dtype=np.int64)
        np.minimum.at(earliest, person, own)
        found = np.where(own == none, earliest[person], own)
        entries: Array = np.where(found == none, self.NO_ENTRY, found)
        return entries

    def key(self) -> dict[str, Any]:
        """The columns of the result that come from the scores."""
        import numpy as np
        import pyarrow as pa

        order = pa.array(self._order)
        columns = {name: self._rows[name].take(order) for name in ("ap_id", "admin_year", "score")}
        for name, (codes, values) in self._codes.items():
            columns[name] = pa.DictionaryArray.from_arrays(
                pa.array(codes[self._order].astype(np.int32)), pa.array(values, pa.string())
            )
        return columns


def _ranks(column: pa.ChunkedArray) -> tuple[Array, list[Any]]:
    """For each value its place among the values in order, and these."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], pa.string()).dictionary_encode()
    if array.null_count:
        return np.zeros(len(array), dtype=np.int64), [None]
    order = pc.array_sort_indices(array.dictionary)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order.to_numpy()] = np.arange(len(order))
    return ranks[array.indices.to_numpy()], array.dictionary.take(order).to_pylist()


def _numbered(values: Array) -> tuple[Array, int]:
    """A number from 0 up for each different value, and how many those are."""
    import numpy as np

    present, numbers = np.unique(values, return_inverse=True)
    return numbers.astype(np.int64), len(present)
