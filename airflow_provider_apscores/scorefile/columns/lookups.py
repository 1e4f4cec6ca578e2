"""Two characters at a time: years, days, codes and their meanings, by tables of 65,536 entries.

Two bytes read as one integer (the first in the low half) index a table: one look-up for a whole column of a block
instead of a loop over records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import encoded
from airflow_provider_apscores.scorefile.columns.block import UNREADABLE
from airflow_provider_apscores.scorefile.spec.codes import EFFECTS, EXAMS, IRREGULARITIES, exam_for

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Pairs = np.ndarray[Any, np.dtype[np.uint16]]

#: Two blanks as an integer.
BLANK_PAIR = 0x2020

#: What :func:`two_digits` has for blanks, and for anything that is not two digits.
BLANK, NO_NUMBER = -1, -2

#: Years that titles are looked up for; outside, the nearest of them stands in.
_FIRST_YEAR, _LAST_YEAR = 1950, 2149


def pairs(columns: Bytes) -> Pairs:
    """Two columns, or one (then a blank follows), as an integer a row."""
    import numpy as np

    wide = columns.shape[1] == 2
    values: Pairs = columns.view("<u2")[:, 0] if wide else columns[:, 0] | np.uint16(0x2000)
    return values


def text_of(pair: int) -> str | None:
    """The trimmed text of two characters; None when blank or unreadable."""
    both = pair.to_bytes(2, "little")
    return None if UNREADABLE in both else both.decode("ascii").strip() or None


@cache
def two_digits() -> np.ndarray[Any, np.dtype[np.int16]]:
    """The number that two characters are: 0 to 99, :data:`BLANK` or :data:`NO_NUMBER`."""
    import numpy as np

    table = np.full(65536, NO_NUMBER, np.int16)
    for number in range(100):
        table[_pair(f"{number:02}")] = number
    table[BLANK_PAIR] = BLANK
    return table


@cache
def irregularity_ranks() -> np.ndarray[Any, np.dtype[np.int8]]:
    """The rank of an irregularity code: the index of its effect, or ``len(EFFECTS)`` for none or an unknown one."""
    import numpy as np

    table = np.full(65536, len(EFFECTS), np.int8)
    for each in IRREGULARITIES:
        table[_pair(each.code)] = EFFECTS.index(each.effect)
    return table


@cache
def exam_table() -> tuple[np.ndarray[Any, np.dtype[np.int16]], tuple[str, ...], tuple[str | None, ...]]:
    """Titles of exams: indices by (code, year) for :func:`title_keys`, the titles, and what each is a subscore of."""
    import numpy as np

    lines = list(EXAMS)
    table = np.full((101, _LAST_YEAR - _FIRST_YEAR + 2), -1, np.int16)
    line_of = {id(exam): line for line, exam in enumerate(lines)}
    for code in {exam.code for exam in lines}:
        for column in range(table.shape[1]):
            exam = exam_for(code, None if column == 0 else _FIRST_YEAR - 1 + column)
            if exam is not None:
                table[int(code), column] = line_of[id(exam)]
    return table.reshape(-1), tuple(exam.title for exam in lines), tuple(exam.subscore_of for exam in lines)


def title_keys(codes: Pairs, years: Any) -> Any:
    """Indices into the table of :func:`exam_table`; *years* below 1 are unknown."""
    import numpy as np

    column = np.where(years < 1, 0, np.clip(years, _FIRST_YEAR, _LAST_YEAR) - (_FIRST_YEAR - 1))
    return _code_rows().take(codes) + column


@cache
def _code_rows() -> np.ndarray[Any, np.dtype[np.int32]]:
    """Where the years of a code begin in the table of :func:`exam_table`, by its two characters."""
    import numpy as np

    numbers = two_digits().astype(np.int32)
    return np.where(numbers < 0, 100, numbers).astype(np.int32) * (_LAST_YEAR - _FIRST_YEAR + 2)


@dataclass(slots=True)
class Distinct:
    """The distinct values of a column of pairs.

    Attributes:
        pairs: Those that occur, sorted.
        where: Which of them each row has.
    """

    pairs: list[int]
    where: Any

    def words(self, meaning: Callable[[int], str | None] = text_of) -> pa.DictionaryArray:
        """The text of each row, null where *meaning* gives None."""
        return encoded(self.where, [meaning(pair) for pair in self.pairs])


def distinct(values: Pairs) -> Distinct:
    """The distinct pairs of a column, and which of them each row has."""
    import numpy as np

    if len(values) and (values == values[0]).all():
        return Distinct([int(values[0])], np.zeros(len(values), np.int16))
    if len(values) < 4096:
        few, inverse = np.unique(values, return_inverse=True)
        return Distinct(few.tolist(), inverse)
    # Sorting a long column costs more than a table of everything that could be in it.
    seen = np.zeros(65536, bool)
    seen[values] = True
    many = np.flatnonzero(seen)
    table = np.empty(65536, np.int16)
    table[many] = np.arange(len(many))
    return Distinct(many.tolist(), table.take(values))


def irregularity_notes(first: Pairs, second: Pairs) -> pa.DictionaryArray:
    """The meaning of two irregularity codes as text, null without a known one."""
    import numpy as np

    known = _irregularity_words()
    noted = np.flatnonzero((first != BLANK_PAIR) | (second != BLANK_PAIR))
    both, where = np.unique(first[noted].astype(np.uint32) << 16 | second[noted].astype(np.uint32), return_inverse=True)
    said = ([known[pair] for pair in (each >> 16, each & 0xFFFF) if pair in known] for each in both.tolist())
    indices = np.full(len(first), -1, np.int32)
    indices[noted] = where
    return encoded(indices, ["; ".join(dict.fromkeys(words)) for words in said])


@cache
def _irregularity_words() -> dict[int, str]:
    return {_pair(each.code): each.detail or each.effect for each in IRREGULARITIES}


def _pair(text: str) -> int:
    return int.from_bytes(text.encode("ascii"), "little")
