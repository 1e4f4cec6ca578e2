"""Blocks of one file to batches of rows, and what is known only after the last of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from airflow_provider_apscores.scorefile.columns.batch import Batch
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.columns.typed import read_block
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT
from airflow_provider_apscores.scorefile.spec.problems import Problem


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
        return read_block(block, self._sha256, self.today, self._note_unknown)

    def closing_batch(self) -> Batch:
        """What can be said only after the last record: which codes were unknown, and how often."""
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
        nothing = Block(
            CURRENT_LAYOUT, np.empty((0, CURRENT_LAYOUT.length), np.uint8), np.empty(0, np.int64), problems=found
        )
        return self.batch(nothing)

    def _note_unknown(self, field: str, code: str, record: int, rows: int, other_years: bool) -> None:
        each = self._unknown.setdefault((field, code), _Unknown(record))
        # Blocks come in order, but the same code may come twice in one: with its blank in front, and behind.
        each.first_record = min(each.first_record, record)
        each.rows += rows
        each.other_years |= other_years


def _shown(code: str) -> str:
    """A code fit for a message; in a damaged record, letters may be part of a name."""
    return code if code.isdigit() and len(code) <= 2 else "that is no number of two digits"
