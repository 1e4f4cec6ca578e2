"""Checks a score file while it is downloaded: whole records, all of the campus that was ordered.

It takes the bytes in the same pass that stores them, in constant memory, and costs little beside the transfer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_apscores.errors import ScoreFileMalformed, WrongCampusInFile
from airflow_provider_apscores.scorefile.columns.block import Block
from airflow_provider_apscores.scorefile.reading.alignment import aligned
from airflow_provider_apscores.scorefile.reading.csv import CsvSplitter
from airflow_provider_apscores.scorefile.reading.detect import HEAD, detect_format
from airflow_provider_apscores.scorefile.reading.txt import TxtSplitter
from airflow_provider_apscores.scorefile.spec.problems import Problem

#: Pieces are gathered up to this size, so that small ones from the network don't cost a call each.
_PIECE = 1 << 20

_FETCH_AGAIN = "Order and fetch the file again; nothing was recorded."


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a whole file.

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
            self._look(complete=False)

    def finish(self) -> Inspection:
        """Say what the file was.

        Raises:
            ScoreFileMalformed: See :meth:`feed`; or the file is empty, or its last record is cut.
            WrongCampusInFile: See :meth:`feed`.
        """
        if self._splitter is None or self._pieces:
            self._look(complete=True)
        assert self._splitter is not None
        is_cut = isinstance(self._splitter, CsvSplitter) and self._splitter.is_cut and not self._ended_line
        self._check(self._splitter.finish(), last=True)
        if is_cut:  # Spreadsheets leave out empty cells at the end of rows, but no line ends.
            raise self._not_whole(
                Problem(self._splitter.records, "wrong_length", detail="it lacks cells and a line end"), last=True
            )
        if not self._splitter.records:
            raise ScoreFileMalformed(f"The file has no student records. {_FETCH_AGAIN}")
        return Inspection(self._splitter.records, self._layout or "csv", self._bytes)

    def _look(self, *, complete: bool) -> None:
        data = b"".join(self._pieces)
        self._pieces, self._waiting = [], 0
        if self._splitter is None:
            kind = detect_format(data[:HEAD], complete=complete and len(data) <= HEAD)
            if kind.kind != self._format:
                raise ScoreFileMalformed(
                    f"A {self._format} file was ordered, and this one is {kind.kind}. {_FETCH_AGAIN}"
                )
            data = data[kind.skip :]
            wanted = frozenset({"college_code", "ap_id", "last_name"})
            self._splitter = CsvSplitter(kind.delimiter, wanted) if kind.kind == "CSV" else TxtSplitter(kind.line_end)
        self._check(self._splitter.feed(data), last=False)

    def _check(self, parts: Iterable[Any], *, last: bool) -> None:
        splitter = self._splitter
        for part in parts:
            if isinstance(part, Block) and isinstance(splitter, TxtSplitter):
                part = aligned(part)
            whole = [problem for problem in part.problems if problem.kind == "wrong_length"]
            if whole:
                raise self._not_whole(whole[0], last=last)
            if isinstance(splitter, TxtSplitter):
                self._layout = self._layout or part.layout.name
                short = any(len(part.raw_line(row)) < part.layout.length for row in range(len(part))) if last else False
                if short and not self._ended_line:
                    raise self._not_whole(
                        Problem(splitter.records, "wrong_length", detail="it has no line end"), last=True
                    )
            if self._code is not None and len(part.numbers):
                self._check_campus(part, self._code)

    def _check_campus(self, part: Any, code: str) -> None:
        others = Counter(_other_codes(part, code))
        if others:
            found = ", ".join(f"{count} of {other}" for other, count in sorted(others.items()))
            raise WrongCampusInFile(
                f"The file for {_shown(code)} has records of other campuses: {found} among records "
                f"{part.numbers[0]} to {part.numbers[-1]}. Treat it as a privacy incident; it must not be loaded."
            )

    def _not_whole(self, problem: Problem, *, last: bool) -> ScoreFileMalformed:
        cut = " The file ends in the middle of it: its last record is cut." if last and not self._ended_line else ""
        return ScoreFileMalformed(f"Record {problem.record_number} is not whole: {problem.detail}.{cut} {_FETCH_AGAIN}")


def _other_codes(part: Any, code: str) -> Iterator[str]:
    """The college codes in a block that are not *code*, one for each record."""
    import numpy as np

    column = np.ascontiguousarray(part.column("college_code"))
    right = (
        (column == np.frombuffer(code.encode(), np.uint8)).all(axis=1)
        if len(code) == 6
        else np.zeros(len(column), bool)
    )
    for row in np.flatnonzero(~right):
        yield _shown(column[row].tobytes().decode("ascii"))


def _shown(code: str) -> str:
    """A college code as people know it; never anything else that stands in its columns."""
    code = code.strip()
    if not code:
        return "no campus"
    if not (code.isascii() and code.isdigit() and len(code) <= 6):
        return "something that is no DI code"
    return f"campus {code.zfill(6).removeprefix('00')}"
