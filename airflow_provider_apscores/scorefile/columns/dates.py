"""Two-digit years and dates, for whole columns.

No century is built in: a year is the latest that agrees with its two digits and with the report's own date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.block import UNREADABLE
from airflow_provider_apscores.scorefile.columns.lookups import BLANK, pairs, two_digits

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Numbers = np.ndarray[Any, np.dtype[np.int32]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

_FIRST_YEAR, _LAST_YEAR = 1600, 2400

#: College Board has had AP Exams since the school year 1955-56. An older year comes from a report date that is wrong.
FIRST_EXAMS = 1955

#: A student is at least this old on the report date, in years.
_YOUNGEST = 5


@dataclass(slots=True)
class Dates:
    """A column of dates.

    Attributes:
        days: Days since 1970-01-01; anything where not *valid*.
        valid: Where there is a date.
        bad: Where there is something that is no date.
        year: Four digits; anything where not *valid*.
        month: 1 to 12; anything where not *valid*.
        day: 1 to 31; anything where not *valid*.
    """

    days: Numbers
    valid: Flags
    bad: Flags
    year: Numbers
    month: Numbers
    day: Numbers


def latest_year(two: Any, limit: Any) -> Any:
    """The latest year not after *limit* that ends in the digits *two*."""
    return limit - (limit - two) % 100


def read_dates(columns: Bytes, limit: Any, not_after: tuple[Any, Any] | None = None) -> Dates:
    """Read MMDDYY.

    Args:
        columns: Shape (rows, 6).
        limit: The latest year that a date can be in; a number or one for each row.
        not_after: Month and day that dates in the year *limit* must not be after.
    """
    import numpy as np

    number = two_digits()
    month = number[pairs(columns[:, 0:2])].astype(np.int32)
    day = number[pairs(columns[:, 2:4])].astype(np.int32)
    two = number[pairs(columns[:, 4:6])].astype(np.int32)
    blank = (month == BLANK) & (day == BLANK) & (two == BLANK)
    year = np.asarray(latest_year(two, limit), np.int32)
    if not_after is not None:
        late = (year == limit) & ((month > not_after[0]) | ((month == not_after[0]) & (day > not_after[1])))
        year = np.where(late, year - 100, year).astype(np.int32)
    in_range = (month >= 1) & (month <= 12) & (two >= 0) & (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    before_year, before_month, length, leap = _calendar()
    safe_year = np.where(in_range, year, 2000) - _FIRST_YEAR
    safe_month = np.where(in_range, month, 1) + 13 * leap[safe_year]
    valid = in_range & (day >= 1) & (day <= length[safe_month])
    days = before_year[safe_year] + before_month[safe_month] + day - 1
    bad = ~valid & ~blank
    if bad.any():
        bad &= ~(columns == UNREADABLE).any(axis=1)
    return Dates(days, valid, bad, year, month, day)


def read_birth_dates(columns: Bytes, report: Dates) -> Dates:
    """Read MMDDYY as the latest date that makes a student old enough on the report date."""
    return read_dates(columns, report.year - _YOUNGEST, (report.month, report.day))


def stand_in(dates: Dates, today: date) -> Dates:
    """The same dates with *today* where there is none, to count years from."""
    import numpy as np

    if dates.valid.all():
        return dates
    year, month, day = (
        np.where(dates.valid, column, value).astype(np.int32)
        for column, value in ((dates.year, today.year), (dates.month, today.month), (dates.day, today.day))
    )
    return Dates(dates.days, dates.valid, dates.bad, year, month, day)


def set_date(dates: Dates, row: int, value: date) -> None:
    """Put in a date that is known with its century."""
    dates.days[row] = value.toordinal() - date(1970, 1, 1).toordinal()
    dates.valid[row] = True
    dates.bad[row] = False
    dates.year[row], dates.month[row], dates.day[row] = value.year, value.month, value.day


def read_years(two: Any, limit: Any) -> Any:
    """Four digits of numbers from 0 to 99, and 0 where there is none. *limit* as for :func:`latest_year`."""
    import numpy as np

    return np.where(two >= 0, latest_year(two, limit), 0).astype(np.int16)


@cache
def _calendar() -> tuple[Any, Any, Any, Any]:
    """Days before each year; days before, and length of, each month (common years, then leap years); leap or not."""
    import numpy as np

    years = np.arange(_FIRST_YEAR, _LAST_YEAR + 1)
    leap = ((years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))).astype(np.int32)
    epoch = date(1970, 1, 1).toordinal()
    before_year = np.array([date(year, 1, 1).toordinal() - epoch for year in years.tolist()], np.int32)
    common = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    length = np.array([*common, 0, 31, 29, *common[3:]], np.int32)
    before_month = np.concatenate([np.cumsum(half) - half for half in (length[:13], length[13:])]).astype(np.int32)
    return before_year, before_month, length, leap
