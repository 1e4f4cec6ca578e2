"""Read AP score files on the command line. Airflow is used only for addresses that name one of its connections.

python -m airflow_provider_apscores.scorefile FILE --to DIR --format parquet
python -m airflow_provider_apscores.scorefile FILE --summary
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from airflow_provider_apscores.errors import APScoresError
from airflow_provider_apscores.hooks.paths import command_path
from airflow_provider_apscores.scorefile.columns.batch import Batch
from airflow_provider_apscores.scorefile.conversion import Progress, WrittenTables, write_tables
from airflow_provider_apscores.scorefile.reader import ScoreFile, read_score_file
from airflow_provider_apscores.scorefile.spec.tables import STATUSES
from airflow_provider_apscores.scorefile.writing.formats import FORMATS

_BAR = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit code: 0 if it is done, 1 after an error, 130 when it is interrupted."""
    options = _parse(arguments)
    bar = _Bar(sys.stderr)
    try:
        source: Any = sys.stdin.buffer if options.file == "-" else command_path(options.file)
        if options.to:
            written = write_tables(
                source,
                command_path(options.to),
                formats=options.format or ["parquet"],
                stem=options.stem,
                on_problem=options.on_problem,
                escape_formulas=options.escape_formulas or False,
                progress=bar.show,
            )
            bar.clear()
            _print_written(written)
        if options.summary or not options.to:
            with read_score_file(source, on_problem=options.on_problem) as file:
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


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line. An option that would have no effect is an error."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.to is None:
        for name in ("format", "stem", "escape_formulas"):
            if getattr(options, name) is not None:
                parser.error(f"--{name.replace('_', '-')} is about the tables; say with --to where to write them")
    elif not options.to:
        parser.error("--to is empty; say where to write the tables")
    elif options.summary and (options.file == "-" or Path(options.file).is_fifo()):
        parser.error("standard input and pipes can be read once: ask for --to or for --summary")
    if options.file == "-" and sys.stdin is None:
        parser.error("there is no standard input")
    return options


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


def _summarise(file: ScoreFile, progress: Progress) -> _Summary:
    summary = _Summary()
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


@dataclass(slots=True)
class _Summary:
    """Counts of a score file.

    Attributes:
        campuses: Student records, exam scores and awards by DI code ("-" where there is none).
        exams: Exam scores by (code, title or None) and by score (None where none is reported).
        statuses: Exam scores by status.
        problems: Rows of ``problems`` by (severity, kind).
        rejected: Lines that could not be read whole.
    """

    campuses: dict[str, Counter[str]] = field(default_factory=dict)
    exams: dict[tuple[str, str | None], Counter[int | None]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: int = 0

    def add(self, batch: Batch) -> None:
        """Add the counts of some rows."""
        for table in ("students", "exam_scores", "awards"):
            for (code,), count in _counted(batch.table(table), "di_code"):
                self.campuses.setdefault(code or "-", Counter())[table] += count
        for (code, title, score), count in _counted(batch.exam_scores, "exam_code", "exam_title", "score"):
            self.exams.setdefault((code or "-", title), Counter())[score] += count
        for (status,), count in _counted(batch.exam_scores, "status"):
            self.statuses[status] += count
        for (severity, kind), count in _counted(batch.problems, "severity", "kind"):
            self.problems[severity, kind] += count
        self.rejected += len(batch.rejected)

    def lines(self, file: ScoreFile) -> Iterable[str]:
        """The summary as text."""
        kind = "CSV" if file.layout == "csv" else f"TXT, {file.layout} characters a record"
        yield f"{file.records:,} student records ({kind}), SHA-256 {file.sha256}"
        yield ""
        yield f"{'campus':<10}{'students':>12}{'exam scores':>14}{'awards':>10}"
        for code, counts in sorted(self.campuses.items()):
            yield f"{code:<10}{counts['students']:>12,}{counts['exam_scores']:>14,}{counts['awards']:>10,}"
        yield ""
        yield f"{'exam':<48}{'5':>9}{'4':>9}{'3':>9}{'2':>9}{'1':>9}{'none':>9}"
        for (code, title), scores in sorted(self.exams.items(), key=lambda item: (item[0][0], item[0][1] or "")):
            columns = "".join(f"{scores[score]:>9,}" for score in (5, 4, 3, 2, 1, None))
            yield f"{code:<4}{title or '(not known)':<44}{columns}"
        yield ""
        yield "status      " + ", ".join(f"{name} {self.statuses[name]:,}" for name in STATUSES if self.statuses[name])
        found = ", ".join(f"{kind} {count:,} ({severity})" for (severity, kind), count in sorted(self.problems.items()))
        yield f"problems    {found or 'none'}"
        yield f"rejected    {self.rejected:,} lines"
        if file.unread_columns:
            yield f"not read    {len(file.unread_columns)} columns: {', '.join(file.unread_columns)}"


def _counted(rows: Any, *names: str) -> Iterable[tuple[tuple[Any, ...], int]]:
    """How often each combination of values in some columns occurs."""
    import pyarrow as pa

    if not rows.num_rows:
        return []
    groups = pa.Table.from_batches([rows]).select(names).group_by(list(names)).aggregate([([], "count_all")])
    return [(tuple(row[name] for name in names), row["count_all"]) for row in groups.to_pylist()]


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
    except BrokenPipeError:  # the process that reads, such as head, has ended
        os._exit(1)
    except OSError as error:
        print(f"Can't write to standard output: {error.strerror}.", file=sys.stderr)
        os._exit(1)
    sys.exit(status)
