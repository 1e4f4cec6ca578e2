"""Read AP score files on the command line, without Airflow.

python -m airflow_provider_apscores.scorefile FILE --to DIR --format parquet
python -m airflow_provider_apscores.scorefile FILE --summary
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from airflow_provider_apscores.errors import APScoresError
from airflow_provider_apscores.scorefile.conversion import Progress, WrittenTables, write_tables
from airflow_provider_apscores.scorefile.reader import ScoreFile, read_score_file
from airflow_provider_apscores.scorefile.summary import Summary
from airflow_provider_apscores.scorefile.writing.formats import FORMATS

_BAR = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit status: 0 done, 1 could not be done."""
    asked = _asked(arguments)
    source: Any = sys.stdin.buffer if asked.file == "-" else asked.file
    bar = _Bar(sys.stderr)
    try:
        if asked.to:
            written = write_tables(
                source,
                asked.to,
                formats=asked.format or ["parquet"],
                stem=asked.stem,
                on_problem=asked.on_problem,
                escape_formulas=asked.escape_formulas or False,
                progress=bar.show,
            )
            bar.clear()
            _print_written(written)
        if asked.summary or not asked.to:
            with read_score_file(source, on_problem=asked.on_problem) as file:
                summary = _summarise(file, bar.show)
                bar.clear()
                print(*summary.lines(file), sep="\n")
    except APScoresError as error:
        bar.clear()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        bar.clear()
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, understood; what would be left undone without a word is an error."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.to is None:
        for name in ("format", "stem", "escape_formulas"):
            if getattr(asked, name) is not None:
                parser.error(f"--{name.replace('_', '-')} is about the tables; say with --to where to write them")
    elif not asked.to:
        parser.error("--to is empty; say where to write the tables")
    elif asked.summary and (asked.file == "-" or Path(asked.file).is_fifo()):
        parser.error("standard input and pipes can be read once: ask for --to or for --summary")
    if asked.file == "-" and sys.stdin is None:
        parser.error("there is no standard input")
    return asked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_apscores.scorefile",
        description="Read an AP Higher Education score file (TXT or CSV, gzip or not).",
    )
    parser.add_argument("file", metavar="FILE", help="path or URI of the score file; - for standard input")
    parser.add_argument("--to", metavar="DIR", help="write the tables under this folder (path or URI)")
    parser.add_argument(
        "--format", action="append", choices=FORMATS, help="format of the tables, may be repeated (parquet)"
    )
    parser.add_argument("--stem", help="name of the files without ending (campus and digest)")
    parser.add_argument(
        "--escape-formulas",
        action="store_true",
        default=None,
        help="in CSV, put an apostrophe before text that a spreadsheet would run as a formula",
    )
    parser.add_argument(
        "--on-problem",
        choices=("quarantine", "fail"),
        default="quarantine",
        help="set aside what can't be read, or end at the first error with status 1 and no tables (quarantine)",
    )
    parser.add_argument(
        "--summary", action="store_true", help="show counts by campus, exam, status and problem (also without --to)"
    )
    return parser


def _summarise(file: ScoreFile, progress: Progress) -> Summary:
    summary = Summary()
    for batch in file.batches():
        summary.add(batch)
        progress(file.position, file.size)
    return summary


def _print_written(written: WrittenTables) -> None:
    for table, uris in written.uris.items():
        for uri in uris.values():
            print(f"{table:<12}{written.rows[table]:>12,} rows  {uri}")
    if written.rejected_uri:
        print(f"{'rejected':<12}{written.rejected_lines:>12,} lines {written.rejected_uri}")
    if written.unread_columns:
        print(f"{'not read':<12}{written.unread_columns:>12,} columns, which --summary names")


class _Bar:
    """A progress bar, on a terminal only."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        self._shown = False

    def show(self, done: int, total: int) -> None:
        if self._stream and self._stream.isatty() and total:
            filled = _BAR * done // total
            bar = "#" * filled + "." * (_BAR - filled)
            self._stream.write(f"\r[{bar}] {100 * done // total:3} %")
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        if self._stream and self._shown:
            self._stream.write("\r" + " " * (_BAR + 8) + "\r")
            self._stream.flush()
            self._shown = False


if __name__ == "__main__":
    try:
        status = main()
        if sys.stdout:  # none where it was closed
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os._exit(1)
    except OSError as error:
        print(f"Can't write to standard output: {error.strerror}.", file=sys.stderr)
        os._exit(1)
    sys.exit(status)
