"""The columns of ``students``, and what the other tables take from a student."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import (
    encoded,
    fixed_strings,
    null_where_empty,
    numbers,
    repeated_strings,
    replaced,
    strings,
    word_indices,
)
from airflow_provider_apscores.scorefile.columns.block import UNREADABLE, Block
from airflow_provider_apscores.scorefile.columns.dates import (
    Dates,
    read_birth_dates,
    read_dates,
    read_years,
    set_date,
    stand_in,
)
from airflow_provider_apscores.scorefile.columns.lookups import NO_NUMBER, distinct, pairs, two_digits
from airflow_provider_apscores.scorefile.columns.report import ProblemReport
from airflow_provider_apscores.scorefile.spec.codes import RACE_ETHNICITY_DERIVED
from airflow_provider_apscores.scorefile.spec.codes import RACE_ETHNICITY_RESPONSE as RACES
from airflow_provider_apscores.scorefile.spec.tables import TABLES, Column

if TYPE_CHECKING:
    import pyarrow as pa


class Students:
    """The students of one block.

    Attributes:
        columns: By name. One that is left out is null in every row.
        report: The report dates, *today* where there is none.

    Args:
        block: The records.
        problems: Takes what is wrong or unknown.
        today: As for :class:`~.batch.Assembler`.
    """

    def __init__(self, block: Block, problems: ProblemReport, today: date) -> None:
        self._block = block
        self._problems = problems
        report = self._date("report_date", today.year + 1)
        self.report = stand_in(report, today)
        limit = self.report.year + 1
        released, updated = self._date("released_date", limit), self._date("student_update_date", limit)
        if not block.is_csv:  # a CSV column may be left out, and nothing can stand in another one
            problems.in_field(
                "report_date", "no_report_date", ~(report.valid | report.bad) & (released.valid | updated.valid)
            )
        self.columns: dict[str, Any] = {
            **dict(self._texts()),
            "report_date": _date_column(report),
            "birth_date": _date_column(self._date("birth_date", None)),
            "scores_released_date": _date_column(released),
            "student_update_date": _date_column(updated),
            "previous_ai_year_1": self._year("previous_ai_year_1", limit),
            "previous_ai_year_2": self._year("previous_ai_year_2", limit),
        }
        self._campuses = self._valid_campuses()
        self.columns["college_code"], self.columns["di_code"] = self._campus_columns(None)
        self.columns.update(self._races())
        self.columns["race_ethnicity_derived_title"] = self._derived_race()

    def of_rows(self, rows: Any) -> dict[str, Any]:
        """The columns that exam scores and awards take from their student; *rows* are the students' rows."""
        college_code, di_code = self._campus_columns(rows)
        return {"ap_id": self.take("ap_id", rows), "college_code": college_code, "di_code": di_code}

    def take(self, name: str, rows: Any) -> Any:
        """A column for *rows*."""
        import pyarrow as pa

        column = self.columns[name]
        return None if column is None else column.take(numbers(rows, None, pa.int64()))

    def _valid_campuses(self) -> tuple[Any, list[str]]:
        """Which college code each record has (-1 for none), and the codes. What is not six digits is a problem, and no
        code: it may be part of a name.
        """
        import numpy as np

        at, words = _indices_and_words(self.columns["college_code"], len(self._block))
        codes = [code for code in words.to_pylist() if len(code) == 6 and code.isascii() and code.isdigit()]
        if len(codes) == len(words):
            return at, codes
        # The last one is for -1.
        good = np.array([codes.index(word) if word in codes else -1 for word in words.to_pylist()] + [-1], np.int32)
        self._problems.in_field("college_code", "bad_code", (at >= 0) & (good[at] < 0))
        return good[at], codes

    def _campus_columns(self, rows: Any) -> tuple[pa.Array, pa.Array]:
        """``college_code`` and ``di_code``, for all records or for those of *rows*."""
        at, codes = self._campuses
        chosen = at if rows is None else at.take(rows)
        return encoded(chosen, codes), encoded(chosen, [code[-4:] for code in codes])

    def _texts(self) -> Iterator[tuple[str, Any]]:
        for column in TABLES["students"].columns:
            if column.field:
                yield column.name, self._text(column)

    def _text(self, column: Column) -> Any:
        """A column of text: from beside the matrix, else cut out of it; with its patches. None when all is blank."""
        block, name = self._block, column.field
        if name in block.texts:
            return block.texts[name]
        if block.is_blank(name):
            return None
        if column.repeats and block.is_constant(name) and name not in block.patches:
            word = block.matrix[0, block.layout.fields[name].span].tobytes().decode("ascii").strip(" ")
            return encoded(_zeros(len(block)), [word])
        cut = block.column(name)
        if name in block.patches:
            return replaced(fixed_strings(cut), block.patches[name])
        if cut.shape[1] <= 2 and column.repeats:
            return distinct(pairs(cut)).words()
        return repeated_strings(cut) if column.repeats else fixed_strings(cut, trim=block.needs_trimming(name))

    def _date(self, name: str, limit: Any) -> Dates:
        import numpy as np

        blank = self._block.is_blank(name)
        columns = np.full((len(self._block), 6), 32, np.uint8) if blank else self._block.column(name)
        dates = read_birth_dates(columns, self.report) if limit is None else read_dates(columns, limit)
        for row, value in self._block.exact_dates.get(name, ()):
            set_date(dates, row, value)
        self._problems.in_field(name, "bad_date", dates.bad)
        return dates

    def _year(self, name: str, limit: Any) -> Any:
        import pyarrow as pa

        if self._block.is_blank(name):
            return None
        columns = self._block.column(name)
        two = two_digits().take(pairs(columns))
        years = read_years(two, limit)
        self._problems.in_field(name, "bad_year", (two == NO_NUMBER) & ~(columns == UNREADABLE).any(axis=1))
        return numbers(years, two >= 0, pa.int16())

    def _races(self) -> Iterator[tuple[str, Any]]:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        name = "race_ethnicity_response"
        if self._block.is_blank(name):
            return
        letters = self._block.column(name)
        by_race = np.ascontiguousarray(letters.T)
        yes = by_race == ord("Y")
        known = yes | (by_race == ord("N"))
        if known.all():
            yield name, repeated_strings(letters)
        else:
            unreadable = (letters == UNREADABLE).any(axis=1)
            self._problems.in_field(name, "bad_flag", ~(known | (by_race == 32)).all(axis=0) & ~unreadable)
            # Blanks on the left are kept: the letters count by their place.
            texts = [
                None if line in (b" " * 11, b"\x7f" * 11) else line.decode("ascii") for line in map(bytes, letters)
            ]
            yield name, null_where_empty(pc.ascii_rtrim(strings(texts), " "))
        for race, its_yes, its_known in zip(RACES, yes, known, strict=True):
            yield f"race_{race}", numbers(its_yes, its_known, pa.bool_())

    def _derived_race(self) -> Any:
        import numpy as np

        column = self.columns["race_ethnicity_derived"]
        if column is None:
            return None
        at, dictionary = _indices_and_words(column, len(self._block))
        words = dictionary.to_pylist()
        titles = [RACE_ETHNICITY_DERIVED.get(word.lstrip("0") or "0") for word in words]
        for word_at, word in enumerate(words):
            rows = np.flatnonzero(at == word_at)
            if titles[word_at] is None and len(rows):
                self._problems.unknown("race_ethnicity_derived", word, int(rows[0]), len(rows))
        return encoded(at, titles)


def _indices_and_words(column: Any, rows: int) -> tuple[Any, pa.StringArray]:
    """The index of each row's word (-1 for null), and the words. Without a column, all rows are null."""
    import pyarrow as pa

    if column is None:
        column = pa.nulls(rows, pa.string())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return word_indices(column), column.dictionary


def _date_column(dates: Dates) -> pa.Array:
    import pyarrow as pa

    return numbers(dates.days, dates.valid, pa.date32())


def _zeros(rows: int) -> Any:
    import numpy as np

    return np.zeros(rows, np.int32)
