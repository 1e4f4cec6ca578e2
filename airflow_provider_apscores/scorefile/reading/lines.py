"""What both readers hold true of lines: when one is blank, how long one may be, how many bad ones end the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ScoreFileMalformed

if TYPE_CHECKING:
    import numpy as np

#: Bytes. No record of any file is longer; without a bound a line without end would be kept in memory.
LONGEST_LINE = 1 << 20

#: Lines in a row that give no record, blank ones included. More of them end the reading: each costs far more time than
#: a record, and a small gzip file holds millions.
MOST_BAD_LINES = 10_000

#: A line of nothing else is blank: it may hold page breaks and the end-of-file mark of DOS.
NOTHING = b" \t\r\n\x00\x0c\x1a"


def is_blank(line: bytes) -> bool:
    """Whether a line holds nothing."""
    return not line.strip(NOTHING)


class BadLines:
    """Counts the lines in a row that give no record, across the pieces of a file."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def add(self, good: np.ndarray[Any, np.dtype[np.bool_]] | list[bool]) -> None:
        """Take the next lines.

        Args:
            good: Which of them gave a record, shape (lines,).

        Raises:
            ScoreFileMalformed: There are more than :data:`MOST_BAD_LINES` in a row.
        """
        import numpy as np

        at = np.flatnonzero(good)
        runs = np.diff(at, prepend=-1 - self._in_a_row, append=len(good)) - 1
        if runs.max() > MOST_BAD_LINES:
            raise ScoreFileMalformed(
                f"More than {MOST_BAD_LINES:,} lines in a row hold no student record. The file is damaged, or is no AP "
                "score file: fetch it again."
            )
        self._in_a_row = int(runs[-1])


def no_end(number: int) -> ScoreFileMalformed:
    """The error of a line that is longer than :data:`LONGEST_LINE`: record *number* begins there."""
    return ScoreFileMalformed(
        f"Record {number} has no end within {LONGEST_LINE:,} characters. Its line ends or quotes were damaged, or this "
        "is no AP score file: fetch it again."
    )
