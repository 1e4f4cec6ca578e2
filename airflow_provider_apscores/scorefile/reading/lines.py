"""What both readers hold true of lines: when one is blank, how long one may be, how many bad ones end the reading."""

from __future__ import annotations

from airflow_provider_apscores.errors import ScoreFileMalformed

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

    def add(self, *, good: bool) -> None:
        """Take the next line.

        Args:
            good: Whether it gave a record.

        Raises:
            ScoreFileMalformed: There are more than :data:`MOST_BAD_LINES` in a row.
        """
        self._in_a_row = 0 if good else self._in_a_row + 1
        if self._in_a_row > MOST_BAD_LINES:
            raise ScoreFileMalformed(
                f"More than {MOST_BAD_LINES:,} lines in a row hold no student record. The file is damaged, or is no AP "
                "score file: fetch it again."
            )


def no_end(number: int) -> ScoreFileMalformed:
    """The error of a line that is longer than :data:`LONGEST_LINE`: record *number* begins there."""
    return ScoreFileMalformed(
        f"Record {number} has no end within {LONGEST_LINE:,} characters. Its line ends or quotes were damaged, or this "
        "is no AP score file: fetch it again."
    )
