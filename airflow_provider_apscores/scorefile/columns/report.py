"""Gathers what is wrong or unknown in a block while its columns are typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_apscores.scorefile.columns.arrays import numbers, strings
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.columns.lookups import BLANK_PAIR, Distinct, text_of
from airflow_provider_apscores.scorefile.spec.codes import EXAMS
from airflow_provider_apscores.scorefile.spec.fields import Group
from airflow_provider_apscores.scorefile.spec.problems import ERROR, Problem

_KNOWN_EXAMS = frozenset(exam.code for exam in EXAMS)

#: Called for a code that the tables do not have: raw field name, code, first record, rows, and whether the code is
#: known for other years.
NoteUnknown = Callable[[str, str, int, int, bool], None]


class ProblemReport:
    """The problems of one block. Unknown codes go to a callback, which counts them for the whole file.

    Attributes:
        problems: What was wrong so far.

    Args:
        block: The records.
        note_unknown: See :data:`NoteUnknown`.
    """

    def __init__(self, block: Block, note_unknown: NoteUnknown) -> None:
        self._block = block
        self._note_unknown = note_unknown
        self.problems = list(block.problems)

    def in_field(self, name: str, kind: str, bad: Any) -> None:
        """A problem in the field *name* of every record that is *bad*."""
        if bad.any():
            for row in bad.nonzero()[0].tolist():
                self._add(row, kind, name)

    def in_slots(self, group: Group, name: str, kind: str, rows: Any, slots: Any, bad: Any) -> None:
        """A problem in the field *name* of every slot that is *bad*."""
        if bad.any():
            for at in bad.nonzero()[0].tolist():
                self._add(int(rows[at]), kind, group.field_name(name, int(slots[at]) + 1))

    def unknown(self, name: str, code: str, row: int, rows: int, *, other_years: bool = False) -> None:
        """A code without a meaning: the first row of the block that has it, and how many have."""
        self._note_unknown(name, code, int(self._block.numbers[row]), rows, other_years)

    def unknown_pairs(self, name: str, rows: Any, values: Distinct, known: frozenset[str]) -> None:
        """Codes of two characters that are not among those *known*."""
        import numpy as np

        for at, pair in enumerate(values.pairs):
            code = text_of(pair)
            if code is not None and code not in known:
                having = np.flatnonzero(values.where == at)
                self.unknown(name, code, int(rows[having[0]]), len(having))

    def unknown_exams(self, rows: Any, codes: Any, years: Any, exams: Any) -> None:
        """Exam codes without a title; *exams* are below zero there."""
        import numpy as np

        unknown = np.flatnonzero((exams < 0) & (codes != BLANK_PAIR))
        codes, years = codes[unknown], years[unknown]
        for pair in np.unique(codes).tolist():
            code = text_of(pair)
            known = code in _KNOWN_EXAMS
            # Without a year the title is not known, but the code may be.
            at = unknown[(codes == pair) & ((years > 0) | (not known))]
            if code is not None and len(at):
                self.unknown("exam_code", code, int(rows[at[0]]), len(at), other_years=known)

    def first_error(self) -> Problem | None:
        """The first problem, in the order of the file, that is an error."""
        return min(self._errors(), key=lambda problem: problem.record_number, default=None)

    def rejected(self) -> list[tuple[int, bytes]]:
        """The lines that could not be read whole: (record number, line)."""
        block = self._block
        bad = {problem.record_number for problem in self._errors()} - {number for number, _ in block.lost}
        if not bad:
            return sorted(block.lost)
        rows = {int(number): row for row, number in enumerate(block.numbers)}
        return sorted([*block.lost, *((number, block.raw_line(rows[number])) for number in bad)])

    def columns(self) -> tuple[dict[str, Any], Any]:
        """The rows of ``problems`` and their record numbers, in the order of the file."""
        import numpy as np
        import pyarrow as pa

        found = sorted(self.problems, key=lambda problem: problem.record_number)

        def positions(values: list[int | None]) -> Any:
            there = np.array([value is not None for value in values], bool)
            return numbers(np.array([value or 0 for value in values], np.int16), there, pa.int16())

        columns = {
            "field": strings([problem.field for problem in found]),
            "start": positions([problem.start for problem in found]),
            "end": positions([problem.end for problem in found]),
            "kind": strings([problem.kind for problem in found]),
            "severity": strings([problem.severity for problem in found]),
            "detail": strings([problem.detail for problem in found]),
        }
        return columns, np.array([problem.record_number for problem in found], np.int64)

    def _errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == ERROR]

    def _add(self, row: int, kind: str, name: str) -> None:
        field = self._block.layout.fields[name]
        start, end = (None, None) if self._block.is_csv else (field.start, field.end)
        self.problems.append(Problem(int(self._block.numbers[row]), kind, name, start, end))
