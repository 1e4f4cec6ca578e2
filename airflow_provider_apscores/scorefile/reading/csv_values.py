"""CSV rows laid out as a block: dates, years, codes and scores at their columns of the record, free text beside it.

Spreadsheets strip leading zeros, spell dates and years out, and drop blanks; pandas makes fractions of numbers in
columns with gaps, and R and databases name the gaps. What can only have meant one thing is put back: ``7`` and ``7.0``
are exam code ``07``, ``51407`` is ``051407``, ``2139`` is the ZIP code ``02139``, a score ``NA`` is none.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import null_where_empty, numbers, strings, text_parts
from airflow_provider_apscores.scorefile.columns.block import UNREADABLE, Block
from airflow_provider_apscores.scorefile.columns.dates import latest_year, read_dates, stand_in
from airflow_provider_apscores.scorefile.columns.lookups import pairs, two_digits
from airflow_provider_apscores.scorefile.spec.fields import Field, Kind
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT as LAYOUT
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_apscores.scorefile.reading.csv import Rows

#: Text that is all digits and shorter than this (the lengths it can have) has lost zeros on the left.
LOST_ZEROS: dict[str, tuple[int, ...]] = {
    "ap_id": (8,),
    "zip_code": (5, 9),
    "high_school_code": (6,),
    "high_school_zip_code": (5,),
    "college_code": (6,),
    "college_zip_code": (5,),
    "previous_ai_code_1": (6,),
    "previous_ai_code_2": (6,),
}

#: What tools write where there is nothing: spreadsheets, pandas, R, databases. In any case of letters.
GAPS = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "\\n"})

#: What tools make of whole numbers and of gaps; the number itself is kept, if there is one.
_LEFT_BY_TOOLS = rf'^(?:([0-9]+)\.0+|="([0-9]*)"|(?i:{"|".join(map(re.escape, sorted(GAPS)))}))$'

#: Without one of these in a column nothing was left there.
_SIGNS = (b".0", b'="', *(gap.encode() for gap in GAPS))

_BAD = {Kind.DATE: "bad_date", Kind.YEAR: "bad_year", Kind.SCORE: "bad_score"}


def shape(rows: Rows, today: date) -> Block:
    """Lay rows out as a block.

    Args:
        rows: Rows of a CSV file.
        today: As for :class:`~.assemble.Assembler`.
    """
    import numpy as np

    matrix = np.full((len(rows.numbers), LAYOUT.length), 32, np.uint8)
    block = Block(
        LAYOUT,
        matrix,
        rows.numbers,
        lost=rows.lost,
        problems=rows.problems,
        headers=rows.headers,
        line_of=rows.line,
    )
    # The report date comes first: years are counted from it.
    for name in sorted(rows.cells, key=lambda name: name != "report_date"):
        field = LAYOUT.fields.get(name)
        cells = _all_as_meant(name, rows.cells[name])
        if field is None or (name not in LAYOUT.slot_names and field.kind in (Kind.TEXT, Kind.CODE)):
            block.texts[name] = _text(block, name, cells, plain=rows.plain)
        else:
            _lay_out(block, field, cells, today)
    for name, field in LAYOUT.fields.items():
        if name not in rows.cells and name not in LAYOUT.slot_names and field.kind in (Kind.TEXT, Kind.CODE):
            block.texts[name] = _nothing(len(rows.numbers))
    return block


def is_coded(name: str) -> bool:
    """Whether a field holds a number, a code, a date or answers: a name or an address may well be "NA"."""
    field = LAYOUT.fields.get(name)
    return field is not None and (name in LOST_ZEROS or name in LAYOUT.slot_names or field.kind is not Kind.TEXT)


def as_meant(name: str, cell: str) -> str:
    """A cell without what tools left there."""
    return re.sub(_LEFT_BY_TOOLS, r"\1\2", cell) if is_coded(name) else cell


def _all_as_meant(name: str, cells: pa.StringArray) -> pa.StringArray:
    """A column without what tools left there."""
    import pyarrow.compute as pc

    letters = text_parts(cells)[1].tobytes().lower() if is_coded(name) else b""
    if not any(sign in letters for sign in _SIGNS):
        return cells
    return pc.replace_substring_regex(cells, _LEFT_BY_TOOLS, r"\1\2")


def _text(block: Block, name: str, cells: pa.StringArray, *, plain: bool) -> pa.StringArray:
    """A column of free text: trimmed, blank as null, lost zeros put back."""
    import pyarrow.compute as pc

    if _is_empty(cells):
        return _nothing(len(cells))
    column = pc.ascii_trim_whitespace(cells) if plain else pc.utf8_trim_whitespace(cells)
    if name in LOST_ZEROS:
        column = _with_zeros(column, LOST_ZEROS[name])
    if plain:
        return null_where_empty(column)
    unreadable = pc.match_substring_regex(column, r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\x{FFFD}")
    if pc.any(unreadable).as_py():
        values: list[str | None] = column.to_pylist()
        for row, bad in enumerate(unreadable.to_pylist()):
            if bad:
                kind = "undecodable" if "\ufffd" in (values[row] or "") else "control_characters"
                block.problems.append(Problem(int(block.numbers[row]), kind, name))
                values[row] = None
        column = strings(values)
    return null_where_empty(column)


def _with_zeros(column: pa.StringArray, lengths: tuple[int, ...]) -> pa.StringArray:
    import pyarrow.compute as pc

    size = pc.binary_length(column)
    if pc.all(pc.is_in(size, _sizes((0, *lengths)))).as_py():
        return column
    digits = pc.match_substring_regex(column, "^[0-9]+$")
    for longer_than, length in zip((0, *lengths), lengths, strict=False):
        lost = pc.and_(digits, pc.and_(pc.greater(size, longer_than), pc.less(size, length)))
        if pc.any(lost).as_py():
            column = pc.if_else(lost, pc.utf8_lpad(column, length, "0"), column)
    return column


def _sizes(lengths: tuple[int, ...]) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return numbers(np.array(lengths, np.int32), None, pa.int32())


def _lay_out(block: Block, field: Field, cells: pa.StringArray, today: date) -> None:
    """Put a column where it belongs in the record; what has another length than the field is looked at singly."""
    import numpy as np

    if _is_empty(cells):
        return
    offsets, data = text_parts(cells)
    lengths = np.diff(offsets)
    at = offsets[:-1]
    fits = np.flatnonzero(lengths == field.width)
    target = block.matrix[:, field.span]
    # Answers count by their place, so that blanks among them are part of the value. A date of six characters may be
    # 5/4/07 as well.
    lowest, highest = {Kind.FLAGS: (32, 126), Kind.DATE: (ord("0"), ord("9"))}.get(field.kind, (33, 126))
    plain = np.ones(len(fits), bool)
    for place in range(field.width):
        letters = data[at[fits] + place]
        target[fits, place] = letters
        plain &= (letters >= lowest) & (letters <= highest)
    if field.kind in (Kind.CODE, Kind.YEAR, Kind.DATE):
        short = np.flatnonzero(lengths == field.width - 1)
        letters = np.stack([data[at[short] + place] for place in range(field.width - 1)], axis=1)
        lost_zero = ((letters >= ord("0")) & (letters <= ord("9"))).all(axis=1)
        target[short[lost_zero], 0] = ord("0")
        target[short[lost_zero], 1:] = letters[lost_zero]
        lengths[short[lost_zero]] = 0
    if field.kind is Kind.YEAR:
        four = np.flatnonzero(lengths == 4)
        if len(four):
            lengths[four[_four_digit_years(block, field, four, data, at, today)]] = 0
    singly = np.concatenate([np.flatnonzero((lengths != field.width) & (lengths > 0)), fits[~plain]])
    for row in np.sort(singly).tolist():
        lay_out_one(block, field, row, cells[row].as_py().strip())


def _four_digit_years(block: Block, field: Field, rows: Any, data: Any, at: Any, today: date) -> Any:
    """Put years of four digits in, and return which of *rows* had one."""
    import numpy as np

    letters = np.stack([data[at[rows] + place] for place in range(4)], axis=1)
    century, two = two_digits()[pairs(letters[:, :2])], two_digits()[pairs(letters[:, 2:])]
    years = century.astype(np.int32) * 100 + two
    good = (century >= 19) & (two >= 0) & (years <= today.year + 5)
    chosen = rows[good]
    block.matrix[chosen, field.start - 1] = letters[good, 2]
    block.matrix[chosen, field.start] = letters[good, 3]
    report = stand_in(read_dates(block.column("report_date"), today.year + 1), today)
    differs = years[good] != latest_year(two[good], report.year[chosen] + 1)
    for row, year in zip(chosen[differs].tolist(), years[good][differs].tolist(), strict=True):
        block.exact_years.setdefault(field.name, []).append((row, year))
    return good


def lay_out_one(block: Block, field: Field, row: int, cell: str) -> None:
    """Put one cell, blanks around it left out, where it belongs in the record."""
    value: str | None = cell
    if field.kind is Kind.DATE:
        value, exact = _date(cell)
        if exact is not None:
            block.exact_dates.setdefault(field.name, []).append((row, exact))
    elif cell.isdigit() and field.kind in (Kind.CODE, Kind.YEAR):
        value = cell.zfill(field.width)
    elif cell.isdigit() and field.kind is Kind.SCORE:
        value = cell.lstrip("0").zfill(1)
    elif field.kind is Kind.FLAGS:
        value = cell.ljust(field.width)
    if value is not None and len(value) <= field.width and value.isascii() and value.isprintable():
        block.matrix[row, field.span] = list(value.ljust(field.width).encode())
        return
    block.matrix[row, field.span] = UNREADABLE
    if not cell.isascii() or not cell.isprintable():
        kind = "undecodable" if "\ufffd" in cell else "control_characters" if cell.isascii() else "bad_code"
    else:
        kind = "bad_code"
    block.problems.append(Problem(int(block.numbers[row]), _BAD.get(field.kind, kind), field.name))


#: As with a time of day in some fractions of seconds behind it.
_LONGEST_DATE = 40

_TIME = r"(?:[T ][0-9:.]+(?: ?[AP]M)?(?: ?(?:Z|UTC|GMT|[-+][0-9]{2}(?::?[0-9]{2})?))?)?"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<m>(?:{'|'.join(_MONTHS)})[a-z]*)\.?"

_SPELLED_OUT = tuple(
    re.compile(each + _TIME, re.IGNORECASE | re.ASCII)
    for each in (
        r"(?P<y>[0-9]{4})(?P<by>[-/.])(?P<m>[0-9]{1,2})(?P=by)(?P<d>[0-9]{1,2})",
        r"(?P<m>[0-9]{1,2})(?P<by>[-/])(?P<d>[0-9]{1,2})(?P=by)(?P<y>[0-9]{4}|[0-9]{2})",
        # Where people write dots, the day comes first.
        r"(?P<d>[0-9]{1,2})\.(?P<m>[0-9]{1,2})\.(?P<y>[0-9]{4}|[0-9]{2})",
        # No month is 19 or 20.
        r"(?P<y>(?:19|20)[0-9]{2})(?P<m>[0-9]{2})(?P<d>[0-9]{2})",
        r"(?P<m>[0-9]{1,2})(?P<d>[0-9]{2})(?P<y>[0-9]{4})",
        rf"(?P<d>[0-9]{{1,2}})(?P<by>[- /]?){_MONTH}(?P=by)(?P<y>[0-9]{{4}}|[0-9]{{2}})",
        rf"{_MONTH} (?P<d>[0-9]{{1,2}}),? (?P<y>[0-9]{{4}})",
    )
)


def _date(cell: str) -> tuple[str | None, date | None]:
    """A date in other words as MMDDYY, and as a date where the century stands there; None where it is no date."""
    return _known_date(cell) if len(cell) <= _LONGEST_DATE else (None, None)


@lru_cache(1 << 10)
def _known_date(cell: str) -> tuple[str | None, date | None]:
    """:func:`_date`, remembered: files have many dates, and few different ones."""
    if re.fullmatch(r"[0-9]{5}", cell):
        return "0" + cell, None
    if not cell or re.fullmatch(r"[ 0-9]{6}", cell):
        return cell, None
    parts = next((found for each in _SPELLED_OUT if (found := each.fullmatch(cell))), None)
    if parts is None:
        return None, None
    named = parts["m"][:3].lower()
    year, month, day = parts["y"], _MONTHS.index(named) + 1 if named in _MONTHS else int(named), int(parts["d"])
    exact = None
    if len(year) == 4:
        try:
            exact = date(int(year), month, day)
        except ValueError:
            return None, None
    return f"{month:02}{day:02}{year[-2:]}", exact


def is_date(cell: str) -> bool:
    """Whether a cell looks like a date in any of the forms that are understood."""
    return bool(cell) and _date(cell) != (None, None)


def _is_empty(cells: pa.StringArray) -> bool:
    offsets, _ = text_parts(cells)
    return bool(offsets[0] == offsets[-1])


def _nothing(rows: int) -> pa.Array:
    import pyarrow as pa

    return pa.nulls(rows, pa.string())
