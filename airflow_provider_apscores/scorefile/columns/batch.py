"""Blocks of one file to rows of the tables: where raw text becomes typed.

Everything works on whole columns of a block (students.py, slots.py); only defects are handled one by one. What can be
said only after the last block, such as how often a code was unknown, is said in a last batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import constant, numbers
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.columns.report import ProblemReport
from airflow_provider_apscores.scorefile.columns.slots import awards, exam_scores
from airflow_provider_apscores.scorefile.columns.students import Students
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT
from airflow_provider_apscores.scorefile.spec.problems import Problem
from airflow_provider_apscores.scorefile.spec.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class Batch:
    """Rows of some consecutive student records.

    Attributes:
        students: Rows of this table, and so on. A column of few words is dictionary-encoded until it is handed out.
        rejected: Lines that could not be read whole: (record number, line without its line end).
        first_error: The first of *problems* that is an error, or None.
    """

    students: pa.RecordBatch
    exam_scores: pa.RecordBatch
    awards: pa.RecordBatch
    problems: pa.RecordBatch
    rejected: list[tuple[int, bytes]]
    first_error: Problem | None = None

    def table(self, name: str) -> pa.RecordBatch:
        """The rows of the table *name*."""
        return getattr(self, name)


@dataclass(slots=True)
class _Unknown:
    """A code that the tables do not have."""

    first_record: int
    rows: int = 0
    other_years: bool = False


class Assembler:
    """Turns blocks of one file into batches.

    Attributes:
        unknown_codes: Rows by raw field name and code.
        today: The day of reading.

    Args:
        sha256: The file's digest, for every row.
        today: Stands in for report dates that are missing, and bounds their century.
    """

    def __init__(self, sha256: str, today: date) -> None:
        self._sha256 = sha256
        self.today = today
        self._unknown: dict[tuple[str, str], _Unknown] = {}

    @property
    def unknown_codes(self) -> dict[tuple[str, str], int]:
        """See the class."""
        return {key: each.rows for key, each in self._unknown.items()}

    def batch(self, block: Block) -> Batch:
        """The rows of a block's records."""
        exams, awarded = block.slots("exam"), block.slots("award")
        problems = ProblemReport(block, self._note_unknown)
        students = Students(block, problems, self.today)
        rows = {
            "students": self._rows("students", students.columns, block.numbers),
            "exam_scores": self._rows("exam_scores", exam_scores(exams, students, problems), block.numbers[exams.rows]),
            "awards": self._rows("awards", awards(awarded, students, problems), block.numbers[awarded.rows]),
        }
        rows["problems"] = self._rows("problems", *problems.columns())
        return Batch(**rows, rejected=problems.rejected(), first_error=problems.first_error())

    def closing_batch(self, problem: Problem | None = None) -> Batch:
        """What can be said only after the last record: which codes were unknown, and how often.

        Args:
            problem: One more problem of the whole file.
        """
        import numpy as np

        words = {"exam_code": "exam code", "award_type": "award type"}
        found = [
            Problem(
                each.first_record,
                "unknown_code",
                field,
                detail=f"{words.get(field, field.replace('_', ' '))} {_shown(code)}"
                f"{', known for other years only' if each.other_years else ''}: {each.rows} rows in the file",
            )
            for (field, code), each in sorted(self._unknown.items())
        ]
        found += [problem] if problem else []
        nothing = Block(
            CURRENT_LAYOUT, np.empty((0, CURRENT_LAYOUT.length), np.uint8), np.empty(0, np.int64), problems=found
        )
        return self.batch(nothing)

    def _rows(self, table: str, columns: dict[str, Any], record_numbers: Any) -> pa.RecordBatch:
        """The columns in the table's order and types, with where they come from; a column that is left out is null."""
        import pyarrow as pa

        rows = len(record_numbers)
        columns["record_number"] = numbers(record_numbers, None, pa.int64())
        columns["file_sha256"] = constant(rows, self._sha256)
        schema = _schema(table)
        arrays = []
        for field in schema:
            column = columns.get(field.name)
            if column is None:
                column = pa.nulls(rows, field.type)
            elif column.type != field.type:
                column = column.dictionary_encode()
            arrays.append(column)
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _note_unknown(self, field: str, code: str, record: int, rows: int, other_years: bool) -> None:
        each = self._unknown.setdefault((field, code), _Unknown(record))
        # Blocks come in order, but the same code may come twice in one: with its blank in front, and behind.
        each.first_record = min(each.first_record, record)
        each.rows += rows
        each.other_years |= other_years


def _shown(code: str) -> str:
    """A code fit for a message; in a damaged record, letters may be part of a name."""
    return code if code.isdigit() and len(code) <= 2 else "that is no number of two digits"


@cache
def _schema(table: str) -> pa.Schema:
    return TABLES[table].schema(encoded=True)
