"""Whether a file has its report dates with the day first: decided once for a file.

All dates are documented as MMDDYY. Public files of 2020 to 2022 have the report date, and only that one, as DDMMYY.
A date such as 050821 can be either, so that the file is judged as a whole.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.columns.lookups import two_digits
from airflow_provider_apscores.scorefile.reading.alignment import TOO_MANY, impossible_fields
from airflow_provider_apscores.scorefile.spec.problems import Problem

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int32]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

_REPORT, _UPDATE = "report_date", "student_update_date"


class DateOrder:
    """What the report dates so far say about their order.

    Day first needs that each of them is a date with the day first, and that one is none with the month first. Or that
    each is a date in both orders, and that one is before its own record's update date with the month first, and none
    with the day first.

    Attributes:
        settled: Whether no further date can make the file day first.
    """

    def __init__(self) -> None:
        self.settled = False
        self._only_month_first = False
        self._only_day_first = 0
        self._early_month_first = 0
        self._early_day_first = False

    @property
    def day_first(self) -> bool:
        """Whether the file has the day first, if there are no more dates."""
        says = self._only_day_first > 0 or (self._early_month_first > 0 and not self._early_day_first)
        return says and not self.settled

    def problem(self) -> Problem | None:
        """The problem of a file whose dates contradict each other."""
        record = self._only_day_first or (0 if self._only_month_first else self._early_month_first)
        return Problem(record, "date_order", _REPORT) if record and not self.day_first else None

    def add(self, block: Block) -> None:
        """Take the next records."""
        import numpy as np

        if not len(block):
            return
        exact = [row for row, _ in block.exact_dates.get(_REPORT, ())]
        report = block.column(_REPORT)
        if not exact and (report == report[0]).all():
            report = report[:1]
        first, second, year = _numbers(report)
        if self.settled and first.max() <= 12:
            return
        there = (first >= 0) & (second >= 0) & (year >= 0)
        there[exact] = False  # These came with a year of four digits, so that their order is known.
        month_first, day_first = there & _is_date(first, second, year), there & _is_date(second, first, year)
        if (there & ~month_first).any():
            # A record that is set aside says nothing.
            whole = month_first | (impossible_fields(block) < TOO_MANY)
            there, day_first = there & whole, day_first & whole
        self._only_month_first |= bool((month_first & ~day_first).any())
        self.settled |= bool((there & ~day_first).any())
        self._only_day_first = self._only_day_first or _first_record(block, day_first & ~month_first)
        tells = month_first & day_first
        if self.settled or not tells.any():
            return
        update = _numbers(block.column(_UPDATE))
        tells = tells & _is_date(*update)
        since_update = ((year - update[2] + 50) % 100 - 50) * 10_000 - update[0] * 100 - update[1]
        month_early, day_early = since_update + first * 100 + second < 0, since_update + second * 100 + first < 0
        self._early_month_first = self._early_month_first or _first_record(block, tells & month_early & ~day_early)
        # A file whose reports are earlier than their updates in any order says nothing by that.
        self._early_day_first |= bool(np.any(tells & day_early))


def with_month_first(block: Block) -> Block:
    """The same records with the month first in their report dates. Their lines stay as they are in the file."""
    matrix, at = block.matrix.copy(), block.layout.fields[_REPORT].start - 1
    matrix[:, at : at + 4] = block.matrix[:, [at + 2, at + 3, at, at + 1]]
    return replace(block, matrix=matrix, line_of=block.raw_line, known_extremes=None, known_slots={})


def _numbers(columns: Bytes) -> tuple[Numbers, Numbers, Numbers]:
    """The three numbers of each date; below 0 where there is none."""
    import numpy as np

    month, day, year = two_digits().take(columns.view("<u2")).T.astype(np.int32)
    return month, day, year


def _is_date(month: Numbers, day: Numbers, year: Numbers) -> Flags:
    lengths = _lengths().take(month.clip(0, 13)) - ((month == 2) & (year % 4 != 0))
    found: Flags = (day >= 1) & (day <= lengths) & (year >= 0)
    return found


@cache
def _lengths() -> Numbers:
    """The days of each month, in leap years; none of what is no month."""
    import numpy as np

    return np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0], np.int32)


def _first_record(block: Block, chosen: Flags) -> int:
    return int(block.numbers[chosen.argmax()]) if chosen.any() else 0
