"""Blocks of records to rows of the tables: where raw text becomes typed.

Everything here works on whole columns of a block; only defects are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.arrays import (
    constant,
    encoded,
    fixed_strings,
    null_where_empty,
    numbers,
    strings,
)
from airflow_provider_apscores.scorefile.batch import Batch
from airflow_provider_apscores.scorefile.blocks import UNREADABLE, Block
from airflow_provider_apscores.scorefile.codes import AWARDS, EFFECTS, EXAMS, IRREGULARITIES, RACE_ETHNICITY_DERIVED
from airflow_provider_apscores.scorefile.codes import RACE_ETHNICITY_RESPONSE as RACES
from airflow_provider_apscores.scorefile.dates import (
    Dates,
    read_birth_dates,
    read_dates,
    read_years,
    set_date,
    stand_in,
)
from airflow_provider_apscores.scorefile.fields import Group
from airflow_provider_apscores.scorefile.lookups import (
    BLANK_PAIR,
    NO_NUMBER,
    distinct,
    exam_table,
    irregularity_ranks,
    notes,
    pairs,
    text_of,
    title_keys,
    two_digits,
    words_of_pairs,
)
from airflow_provider_apscores.scorefile.problems import ERROR, Problem
from airflow_provider_apscores.scorefile.tables import STATUSES, TABLES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_KNOWN_EXAMS = frozenset(exam.code for exam in EXAMS)
_KNOWN_IRREGULARITIES = frozenset(each.code for each in IRREGULARITIES)


class BlockReader:
    """One block, read once.

    Args:
        block: The records.
        sha256: For every row.
        today: As for :class:`~.assemble.Assembler`.
        note_unknown: Told of codes that the tables do not have: raw field name, code, first record, rows, and whether
            the code is known for other years.
    """

    def __init__(
        self, block: Block, sha256: str, today: date, note_unknown: Callable[[str, str, int, int, bool], None]
    ) -> None:
        self._block = block
        self._sha256 = sha256
        self._today = today
        self._note_unknown = note_unknown
        self._problems = list(block.problems)
        self._bad_rows: set[int] = set()

    def batch(self) -> Batch:
        """The rows of the block's records."""
        students = self._students()
        exam_scores = self._exam_scores()
        awards = self._awards()
        block = self._block
        self._problems.sort(key=lambda problem: problem.record_number)
        errors = [problem for problem in self._problems if problem.severity == ERROR]
        lost = {number for number, _ in block.lost}
        rows = {int(number): row for row, number in enumerate(block.numbers)} if errors else {}
        bad = sorted({problem.record_number for problem in errors} - lost)
        rejected = sorted([*block.lost, *((number, block.raw_line(rows[number])) for number in bad)])
        return Batch(
            students, exam_scores, awards, self._problem_rows(), rejected, first_error=errors[0] if errors else None
        )

    def _students(self) -> pa.RecordBatch:
        block = self._block
        columns: dict[str, Any] = {}
        report = self._date("report_date", self._today.year + 1)
        self._report = stand_in(report, self._today)
        limit = self._report.year + 1
        dates = {
            "report_date": report,
            "birth_date": self._date("birth_date", None),
            "scores_released_date": self._date("released_date", limit),
            "student_update_date": self._date("student_update_date", limit),
        }
        for column in TABLES["students"].columns:
            if column.field:
                columns[column.name] = self._text(column.field)
        for name, column_of_dates in dates.items():
            columns[name] = _date_column(column_of_dates)
        for name in ("previous_ai_year_1", "previous_ai_year_2"):
            columns[name] = self._year_column(name, limit)
        self._report_column = columns["report_date"]
        self._ap_ids = columns["ap_id"]
        codes = columns["college_code"].dictionary_encode()
        self._campus = (
            _indices(codes),
            codes.dictionary.to_pylist(),
        )
        columns["college_code"], columns["di_code"] = self._campus_columns(None)
        columns.update(self._races())
        columns.update(self._derived_race(columns["race_ethnicity_derived"]))
        return self._finished("students", columns, block.numbers)

    def _exam_scores(self) -> pa.RecordBatch:
        import numpy as np

        group = self._block.layout.group("exam")
        rows, slots, filled = self._filled(group)
        at = {each.name: filled[:, each.start - group.start : each.end - group.start + 1] for each in group.fields}
        year = self._slot_years(group, "admin_year", rows, slots, at["admin_year"])
        code = pairs(at["exam_code"])
        first, second = pairs(at["irregularity_1"]), pairs(at["irregularity_2"])
        letter = at["exam_grade"][:, 0]
        scored = (letter >= ord("1")) & (letter <= ord("5"))
        self._slot_problems(
            group, "exam_grade", "bad_score", rows, slots, ~scored & (letter != 32) & (letter != UNREADABLE)
        )
        incomplete = (code == BLANK_PAIR) | (pairs(at["admin_year"]) == BLANK_PAIR)
        self._slot_problems(group, "exam_code", "incomplete_exam", rows, slots, incomplete)
        ranks = irregularity_ranks()
        rank = np.minimum(ranks[first], ranks[second])
        # "noted" is the weakest effect and leaves the score as it is.
        no_effect = np.where(scored, STATUSES.index("reported"), STATUSES.index("unknown"))
        status = np.where(rank < EFFECTS.index("noted"), rank, no_effect).astype(np.int8)
        table, titles, subscores = exam_table()
        exam = table[title_keys(code, year)]
        self._unknown_exams(rows, code, year, exam)
        for name, values in (("irregularity_1", first), ("irregularity_2", second)):
            self._unknown_pairs(name, rows, values, _KNOWN_IRREGULARITIES)
        parents = sorted({parent for parent in subscores if parent})
        parent_of = np.array([parents.index(parent) if parent else -1 for parent in subscores] + [-1], np.int8)
        college_code, di_code = self._campus_columns(rows)
        return self._finished(
            "exam_scores",
            {
                "ap_id": self._taken(self._ap_ids, rows),
                "college_code": college_code,
                "di_code": di_code,
                "position": numbers((slots + 1).astype(np.int8), None, _arrow("int8")),
                "admin_year": numbers(year, year > 0, _arrow("int16")),
                "exam_code": words_of_pairs(code),
                "exam_title": encoded(exam, titles),
                "subscore_of": encoded(parent_of[exam], parents),
                "score": numbers((letter.astype(np.int16) - 48).astype(np.int8), scored, _arrow("int8")),
                "status": encoded(status, STATUSES),
                "irregularity_1": words_of_pairs(first),
                "irregularity_2": words_of_pairs(second),
                "irregularity_notes": notes(first, second),
                "suppression_flag": words_of_pairs(pairs(at["suppression_flag"])),
                "class_section": words_of_pairs(pairs(at["class_section"])),
                "report_date": self._taken(self._report_column, rows),
            },
            self._block.numbers[rows],
        )

    def _awards(self) -> pa.RecordBatch:
        import numpy as np

        group = self._block.layout.group("award")
        rows, slots, filled = self._filled(group)
        kind = pairs(filled[:, 0:2])
        year = self._slot_years(group, "award_year", rows, slots, filled[:, 2:4])
        self._unknown_pairs("award_type", rows, kind, frozenset(AWARDS))
        college_code, di_code = self._campus_columns(rows)
        return self._finished(
            "awards",
            {
                "ap_id": self._taken(self._ap_ids, rows),
                "college_code": college_code,
                "di_code": di_code,
                "position": numbers((slots + 1).astype(np.int8), None, _arrow("int8")),
                "award_type": words_of_pairs(kind),
                "award_title": words_of_pairs(kind, lambda pair: AWARDS.get(text_of(pair) or "")),
                "award_year": numbers(year, year > 0, _arrow("int16")),
            },
            self._block.numbers[rows],
        )

    # -- students ----------------------------------------------------------------------------------------------

    def _text(self, name: str) -> Any:
        """A column of text: from beside the matrix, else cut out of it; with its patches."""
        block = self._block
        if name in block.texts:
            return block.texts[name]
        if name not in block.layout.fields:
            return _nulls(len(block))
        cut = block.column(name)
        patches = block.patches.get(name)
        if cut.shape[1] <= 2:
            column: Any = words_of_pairs(pairs(cut))
            return _patched(column.cast(_arrow("string")), patches) if patches else column
        # Most columns that are blank in one record are blank in all, and the others need no second look.
        blank = (cut[:1] == 32).all() and (cut == 32).all()
        column = _nulls(len(block)) if blank else fixed_strings(cut)
        return _patched(column, patches) if patches else column

    def _date(self, name: str, limit: Any) -> Dates:
        columns = self._block.column(name)
        dates = read_birth_dates(columns, self._report) if limit is None else read_dates(columns, limit)
        for row, value in self._block.exact_dates.get(name, ()):
            set_date(dates, row, value)
        self._field_problems(name, "bad_date", dates.bad)
        return dates

    def _year_column(self, name: str, limit: Any) -> pa.Array:
        columns = self._block.column(name)
        two = two_digits()[pairs(columns)]
        years = read_years(two, limit)
        for row, value in self._block.exact_years.get(name, ()):
            years[row] = value
        self._field_problems(name, "bad_year", (two == NO_NUMBER) & ~(columns == UNREADABLE).any(axis=1))
        return numbers(years, two >= 0, _arrow("int16"))

    def _races(self) -> Iterator[tuple[str, Any]]:
        import numpy as np
        import pyarrow.compute as pc

        name = "race_ethnicity_response"
        rows = len(self._block)
        if name not in self._block.layout.fields or (self._block.column(name) == 32).all():
            yield name, _nulls(rows)
            for race in RACES:
                yield f"race_{race}", _nulls(rows, "bool")
            return
        letters = np.ascontiguousarray(self._block.column(name))
        yes, no = letters == ord("Y"), letters == ord("N")
        known = yes | no
        unreadable = (letters == UNREADABLE).any(axis=1)
        self._field_problems(name, "bad_flag", ~(known | (letters == 32)).all(axis=1) & ~unreadable)
        # Blanks on the left are kept: the letters count by their place.
        whole = fixed_strings(letters)
        if not known.all():
            texts = [
                None if line in (b" " * 11, b"\x7f" * 11) else line.decode("ascii") for line in map(bytes, letters)
            ]
            whole = null_where_empty(pc.ascii_rtrim(strings(texts), " "))
        yield name, whole
        for at, race in enumerate(RACES):
            yield f"race_{race}", numbers(yes[:, at], known[:, at], _arrow("bool"))

    def _derived_race(self, column: Any) -> Iterator[tuple[str, Any]]:
        import numpy as np

        codes = column.dictionary_encode()
        words = codes.dictionary.to_pylist()
        titles = sorted(set(RACE_ETHNICITY_DERIVED.values()))
        meaning = [RACE_ETHNICITY_DERIVED.get(word.lstrip("0") or "0") for word in words]
        index = np.array([titles.index(title) if title else -1 for title in meaning] + [-1], np.int8)
        at = _indices(codes)
        for word_at, word in enumerate(words):
            rows = np.flatnonzero(at == word_at)
            if meaning[word_at] is None and len(rows):
                number = int(self._block.numbers[rows[0]])
                self._note_unknown("race_ethnicity_derived", word, number, len(rows), False)
        yield "race_ethnicity_derived_title", encoded(index[at], titles)

    def _campus_columns(self, rows: Any) -> tuple[pa.Array, pa.Array]:
        """``college_code`` and ``di_code``, for all records or for those of *rows*."""
        at, words = self._campus
        chosen = at if rows is None else at[rows]
        return encoded(chosen, words), encoded(chosen, [word[-4:] for word in words])

    # -- slots -------------------------------------------------------------------------------------------------

    def _filled(self, group: Group) -> tuple[Any, Any, Bytes]:
        """The slots that are not wholly blank: their rows in the block, their slots from 0, and their bytes."""
        import numpy as np

        block = self._block
        slots = np.ascontiguousarray(block.matrix[:, group.span]).reshape(-1, group.stride)
        # Most slots are blank from their first two bytes on; several bytes at once tell.
        words = [(0, 8), (group.stride - 4, 4)] if group.stride > 8 else [(0, 4)]
        filled = np.zeros(len(slots), bool)
        for offset, size in words:
            view = (
                np.ndarray((len(slots),), f"<u{size}", buffer=slots.data, offset=offset, strides=(group.stride,))
                if len(slots)
                else np.zeros(0, f"<u{size}")
            )
            filled |= view != int.from_bytes(b" " * size, "little")
        at = np.flatnonzero(filled)
        return at // group.count, at % group.count, slots[at]

    def _slot_years(self, group: Group, name: str, rows: Any, slots: Any, columns: Bytes) -> Any:
        """Four-digit years, 0 where there is none."""
        import numpy as np

        two = two_digits()[pairs(columns)]
        self._slot_problems(
            group, name, "bad_year", rows, slots, (two == NO_NUMBER) & ~(columns == UNREADABLE).any(axis=1)
        )
        years = read_years(two, self._report.year[rows] + 1)
        if self._block.exact_years:
            place = rows * group.count + slots
            for slot in range(group.count):
                for row, value in self._block.exact_years.get(group.field_name(name, slot + 1), ()):
                    years[np.searchsorted(place, row * group.count + slot)] = value
        return years

    def _taken(self, column: Any, rows: Any) -> Any:
        return column.take(numbers(rows, None, _arrow("int64")))

    # -- problems ----------------------------------------------------------------------------------------------

    def _field_problems(self, name: str, kind: str, bad: Any) -> None:
        if bad.any():
            for row in bad.nonzero()[0].tolist():
                self._problem(row, kind, name)

    def _slot_problems(self, group: Group, name: str, kind: str, rows: Any, slots: Any, bad: Any) -> None:
        if bad.any():
            for at in bad.nonzero()[0].tolist():
                self._problem(int(rows[at]), kind, group.field_name(name, int(slots[at]) + 1))

    def _problem(self, row: int, kind: str, name: str) -> None:
        field = self._block.layout.fields[name]
        in_columns = not self._block.texts
        start, end = (field.start, field.end) if in_columns else (None, None)
        self._problems.append(Problem(int(self._block.numbers[row]), kind, name, start, end))

    def _unknown_exams(self, rows: Any, codes: Any, years: Any, exams: Any) -> None:
        import numpy as np

        unknown = (exams < 0) & (codes != BLANK_PAIR)
        if not unknown.any():
            return
        for pair in np.unique(codes[unknown]).tolist():
            code = text_of(pair)
            known = code in _KNOWN_EXAMS
            # Without a year the title can't be told, but the code is no stranger.
            at = np.flatnonzero(unknown & (codes == pair) & ((years > 0) | (not known)))
            if code is not None and len(at):
                self._note_unknown("exam_code", code, int(self._block.numbers[rows[at[0]]]), len(at), known)

    def _unknown_pairs(self, name: str, rows: Any, values: Any, known: frozenset[str]) -> None:
        import numpy as np

        found, where = distinct(values)
        for at, pair in enumerate(found):
            code = text_of(pair)
            if code is not None and code not in known:
                having = np.flatnonzero(where == at)
                self._note_unknown(name, code, int(self._block.numbers[rows[having[0]]]), len(having), False)

    def _problem_rows(self) -> pa.RecordBatch:
        import numpy as np

        found = self._problems

        def positions(values: list[int | None]) -> Any:
            there = np.array([value is not None for value in values], bool)
            return numbers(np.array([value or 0 for value in values], np.int16), there, _arrow("int16"))

        return self._finished(
            "problems",
            {
                "field": strings([problem.field for problem in found]),
                "start": positions([problem.start for problem in found]),
                "end": positions([problem.end for problem in found]),
                "kind": strings([problem.kind for problem in found]),
                "severity": strings([problem.severity for problem in found]),
                "detail": strings([problem.detail for problem in found]),
            },
            np.array([problem.record_number for problem in found], np.int64),
        )

    def _finished(self, table: str, columns: dict[str, Any], record_numbers: Any) -> pa.RecordBatch:
        """The columns in the table's order, with where they come from."""
        import pyarrow as pa

        columns["record_number"] = numbers(record_numbers, None, _arrow("int64"))
        columns["file_sha256"] = constant(len(record_numbers), self._sha256)
        names = [column.name for column in TABLES[table].columns]
        return pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)


def _date_column(dates: Dates) -> pa.Array:
    return numbers(dates.days, dates.valid, _arrow("date32"))


def _indices(column: pa.DictionaryArray) -> Any:
    """Which word each row has; -1 for null."""
    import numpy as np
    import pyarrow.compute as pc

    indices = pc.fill_null(column.indices, -1)
    values = np.frombuffer(indices.buffers()[1], indices.type.to_pandas_dtype())
    return values[indices.offset : indices.offset + len(indices)]


def _patched(column: pa.StringArray, patches: list[tuple[int, str | None]]) -> pa.StringArray:
    """*column* with some values replaced."""
    import numpy as np
    import pyarrow.compute as pc

    mask = np.zeros(len(column), bool)
    mask[[row for row, _ in patches]] = True
    replacements = strings([value for _, value in sorted(patches, key=lambda patch: patch[0])])
    return pc.replace_with_mask(column, numbers(mask, None, _arrow("bool")), replacements)


def _nulls(rows: int, kind: str = "string") -> pa.Array:
    import pyarrow as pa

    return pa.nulls(rows, _arrow(kind))


def _arrow(kind: str) -> Any:
    import pyarrow as pa

    return pa.bool_() if kind == "bool" else pa.type_for_alias(kind)
