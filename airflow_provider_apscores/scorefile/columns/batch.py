"""What the reader hands out: rows of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_apscores.scorefile.spec.problems import Problem

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
