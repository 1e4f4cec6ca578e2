"""Checks a score file while it is downloaded: whole records, all of the campus that was ordered.

It takes the bytes in the same pass that stores them, in constant memory, and costs little beside the transfer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airflow_provider_apscores.errors import ScoreFileMalformed, WrongCampusInFile
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.reading.alignment import aligned
from airflow_provider_apscores.scorefile.reading.csv import CsvSplitter
from airflow_provider_apscores.scorefile.reading.detect import HEAD, detect_format
from airflow_provider_apscores.scorefile.reading.txt import TxtSplitter

#: Pieces are gathered up to this size, so that small ones from the network don't cost a call each.
_PIECE = 1 << 20

#: What is read of a CSV file.
_CSV_FIELDS = frozenset({"college_code"})

_FETCH_AGAIN = "Order and fetch the file again; nothing was recorded."


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of a check that found no defect.

    Attributes:
        records: Student records.
        layout: Characters of a record as a name ("950", "910"), or "csv".
        bytes: Length of the file.
    """

    records: int
    layout: str
    bytes: int


class Inspector:
    """Checks a score file piece by piece.

    Args:
        file_format: The format that was ordered: "TXT" or "CSV".
        di_code: The campus whose records these must be, or None to accept any.
    """

    def __init__(self, file_format: str, di_code: str | None = None) -> None:
        self._format = file_format.upper()
        self._code = None if di_code is None else di_code.strip().zfill(6)
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._bytes = 0
        self._splitter: TxtSplitter | CsvSplitter | None = None
        self._layout: str | None = None
        self._ended_line = True

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            ScoreFileMalformed: This is no score file of the format that was ordered, or a record is not whole.
            WrongCampusInFile: Records of other campuses; counts those up to here by DI code.

        The first defect that condemns the file is raised as soon as it is seen, at the latest by :meth:`finish`.
        """
        if not chunk:
            return
        self._pieces.append(bytes(chunk))
        self._waiting += len(chunk)
        self._bytes += len(chunk)
        self._ended_line = chunk[-1] in b"\n\r\x1a"
        if self._waiting >= (_PIECE if self._splitter else HEAD):
            self._inspect(complete=False)

    def finish(self) -> Inspection:
        """Check the end of the file.

        Raises:
            ScoreFileMalformed: See :meth:`feed`; or the file is empty, or its last record is cut.
            WrongCampusInFile: See :meth:`feed`.
        """
        if self._splitter is None or self._pieces:
            self._inspect(complete=True)
        assert self._splitter is not None
        is_cut = isinstance(self._splitter, CsvSplitter) and self._splitter.is_cut and not self._ended_line
        self._check(self._splitter.finish(), last=True)
        if is_cut:  # Spreadsheets leave out empty cells at the end of rows, but no line ends.
            raise self._not_whole(self._splitter.records, "it lacks cells and a line end", last=True)
        if not self._splitter.records:
            raise ScoreFileMalformed(f"The file has no student records. {_FETCH_AGAIN}")
        return Inspection(self._splitter.records, self._layout or "csv", self._bytes)

    def _inspect(self, *, complete: bool) -> None:
        data = b"".join(self._pieces)
        self._pieces, self._waiting = [], 0
        if self._splitter is None:
            detected = detect_format(data[:HEAD], complete=complete and len(data) <= HEAD)
            if detected.kind != self._format:
                raise ScoreFileMalformed(
                    f"A {self._format} file was ordered, and this one is {detected.kind}. {_FETCH_AGAIN}"
                )
            data = data[detected.skip :]
            if detected.kind == "CSV":
                self._splitter = CsvSplitter(detected.delimiter, _CSV_FIELDS)
            else:
                self._splitter = TxtSplitter(detected.line_end)
        self._check(self._splitter.feed(data), last=False)

    def _check(self, blocks: Iterable[Block], *, last: bool) -> None:
        for block in blocks:
            if self._format == "TXT":
                block = aligned(block)
                self._layout = self._layout or block.layout.name
            for problem in block.problems:
                if problem.kind == "wrong_length":
                    raise self._not_whole(problem.record_number, str(problem.detail), last=last)
            if last and self._format == "TXT" and not self._ended_line:
                for row, number in enumerate(block.numbers):
                    if len(block.raw_line(row)) < block.layout.length:
                        raise self._not_whole(number, "it has no line end", last=True)
            if self._code is not None and len(block):
                self._check_campus(block, self._code)

    def _check_campus(self, block: Block, code: str) -> None:
        others = Counter(_other_codes(block, code))
        if others:
            found = ", ".join(f"{count} of {other}" for other, count in sorted(others.items()))
            raise WrongCampusInFile(
                f"The file for {_shown(code)} has records of other campuses: {found} among records "
                f"{block.numbers[0]} to {block.numbers[-1]}. Treat it as a privacy incident; it must not be loaded."
            )

    def _not_whole(self, number: int, what: str, *, last: bool) -> ScoreFileMalformed:
        cut = " The file ends in the middle of it: its last record is cut." if last and not self._ended_line else ""
        return ScoreFileMalformed(f"Record {number} is not whole: {what}.{cut} {_FETCH_AGAIN}")


def _other_codes(block: Block, code: str) -> Iterator[str]:
    """The college codes in a block that are not *code*, one for each record."""
    column = block.column("college_code")
    for each in column[column.view(f"S{column.shape[1]}")[:, 0] != code.encode()]:
        yield _shown(each.tobytes().decode("latin-1"))


def _shown(code: str) -> str:
    """A college code as people know it; never anything else that stands in its columns."""
    code = code.strip()
    if not code:
        return "no campus"
    if not (code.isascii() and code.isdigit() and len(code) <= 6):
        return "something that is no DI code"
    return f"campus {code.zfill(6).removeprefix('00')}"
