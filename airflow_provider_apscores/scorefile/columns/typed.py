"""Blocks of records to rows of the tables: where raw text becomes typed.

Everything works on whole columns of a block (students.py, slots.py); only defects are looked at one by one.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import constant, numbers
from airflow_provider_apscores.scorefile.columns.batch import Batch
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.columns.report import Findings, NoteUnknown
from airflow_provider_apscores.scorefile.columns.slots import Slots, awards, exam_scores
from airflow_provider_apscores.scorefile.columns.students import Students
from airflow_provider_apscores.scorefile.reading.landmarks import exams_elsewhere
from airflow_provider_apscores.scorefile.spec.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa


def read_block(block: Block, sha256: str, today: date, note_unknown: NoteUnknown) -> Batch:
    """The rows of a block's records.

    Args:
        block: The records.
        sha256: For every row.
        today: As for :class:`~.assemble.Assembler`.
        note_unknown: Told of codes that the tables do not have.
    """
    exams = Slots(block, block.layout.group("exam"))
    if moved := _moved(block, exams):
        block = block.without(moved, "moved")
        exams = Slots(block, block.layout.group("exam"))
    findings = Findings(block, note_unknown)
    students = Students(block, findings, today)
    awarded = Slots(block, block.layout.group("award"))
    rows = {
        "students": _rows("students", students.columns, block.numbers, sha256),
        "exam_scores": _rows(
            "exam_scores", exam_scores(block, exams, students, findings), block.numbers[exams.rows], sha256
        ),
        "awards": _rows("awards", awards(block, awarded, students, findings), block.numbers[awarded.rows], sha256),
    }
    rows["problems"] = _rows("problems", *findings.columns(), sha256)
    return Batch(**rows, rejected=findings.rejected(), first_error=findings.first_error())


def _moved(block: Block, exams: Slots) -> list[int]:
    """The records of a TXT file whose exams stand between their slots."""
    if block.texts:  # CSV: what moves there is cells
        return []
    length = block.layout.length
    texts = ((row, block.matrix[row, :length].tobytes().decode("latin-1")) for row in exams.strange_exams())
    return [row for row, text in texts if exams_elsewhere(text, block.layout)]


def _rows(table: str, columns: dict[str, Any], record_numbers: Any, sha256: str) -> pa.RecordBatch:
    """The columns in the table's order and types, with where they come from; a column that is left out is null."""
    import pyarrow as pa

    rows = len(record_numbers)
    columns["record_number"] = numbers(record_numbers, None, pa.int64())
    columns["file_sha256"] = constant(rows, sha256)
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


@cache
def _schema(table: str) -> pa.Schema:
    return TABLES[table].schema(encoded=True)
