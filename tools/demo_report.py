"""The final report of the demo: deliveries, rows per campus, the first rows of each table, the current state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The most informative columns; the files have more.
SHOWN = {
    "students": ("ap_id", "last_name", "first_name", "birth_date", "di_code", "high_school_name", "report_date"),
    "exam_scores": ("ap_id", "di_code", "admin_year", "exam_code", "exam_title", "score", "status"),
    "awards": ("ap_id", "di_code", "award_type", "award_title", "award_year"),
    "problems": ("record_number", "field", "kind", "severity", "detail"),
}
FIRST_ROWS = 3
WIDEST = 34


def show_results(data: Path, project: Path) -> None:
    """Print the deliveries and tables below *data*, with paths relative to *project*."""
    import pyarrow.parquet as parquet

    from airflow_provider_apscores.delivery import APScoresLedger

    files, tables = data / "files", data / "tables"
    print(f"\nScore files, each with its manifest, in {files.relative_to(project)}/")
    deliveries = list(APScoresLedger(files).deliveries())
    rows = []
    for each in deliveries:
        manifest = each.manifest
        recorded = (manifest.recorded_at or "no")[:19]
        path = Path(each.uri.removeprefix("file://")).relative_to(files)
        rows.append((manifest.di_code, manifest.records, manifest.bytes, recorded, path))
    table(("campus", "records", "bytes", "recorded (UTC)", "file"), rows, whole=True)

    read = {name: parquet.read_table(tables / name) for name in SHOWN if (tables / name).is_dir()}
    print(f"\nRows per campus, as Parquet files in {tables.relative_to(project)}/")
    counts = {
        each.manifest.di_code: [rows_of(tables / name, each.manifest.di_code) for name in SHOWN] for each in deliveries
    }
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    table(("campus", *SHOWN), [*((code, *rows) for code, rows in counts.items()), ("all", *total)])

    for name, columns in read.items():
        if not columns.num_rows:
            continue
        first = columns.select(list(SHOWN[name])).slice(0, FIRST_ROWS).to_pylist()
        shown = f"{len(first)} of {columns.num_rows:,} rows, {len(SHOWN[name])} of {columns.num_columns} columns"
        print(f"\n{name}: {shown}")
        table(SHOWN[name], [tuple(row.values()) for row in first])

    if "exam_scores" in read:
        show_current_state(tables, read["exam_scores"].num_rows)


def show_current_state(tables: Path, rows: int) -> None:
    """Print what counts now of the *rows* of exam scores below *tables*: by status, then by score."""
    from airflow_provider_apscores.scores import current_state

    exams = current_state(tables).exam_scores.select(["status", "score", "withdrawn"]).to_pylist()
    print(f"\nCurrent state: {len(exams):,} of {rows:,} rows, for each exam score the latest")
    current = Counter(each["status"] for each in exams if not each["withdrawn"])
    withdrawn = Counter(each["status"] for each in exams if each["withdrawn"])
    statuses = [status for status, _ in (current + withdrawn).most_common()]
    counts = [(status, current[status], withdrawn[status]) for status in statuses]
    table(("status", "current", "withdrawn"), [*counts, ("all", current.total(), withdrawn.total())])

    print("\nCurrent scores, all campuses together")
    scores = Counter(each["score"] for each in exams if not each["withdrawn"])
    most = max(scores[score] for score in (1, 2, 3, 4, 5)) or 1
    for score in (5, 4, 3, 2, 1, None):
        print(f"  {score or 'none':>4}  {scores[score]:>6,}  {'#' * round(40 * scores[score] / most)}")


def rows_of(folder: Path, di_code: str) -> int:
    """Count the rows of one campus: its DI code is the prefix of its file names."""
    import pyarrow.parquet as parquet

    return sum(parquet.read_metadata(path).num_rows for path in folder.glob(f"{di_code}-*.parquet"))


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]], *, whole: bool = False) -> None:
    """Print a table: numbers right-aligned, text left-aligned, long text cut unless *whole*."""
    lines = [heads, *([cell(value, whole) for value in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    right = [
        all(isinstance(row[place], int) or row[place] is None for row in rows) and bool(rows)
        for place in range(len(heads))
    ]
    for line in lines:
        fitted = (
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(line, widths, right, strict=True)
        )
        print(f"  {'  '.join(fitted)}".rstrip())


def cell(value: Any, whole: bool) -> str:
    if value is None:
        return "-"
    text = f"{value:,}" if isinstance(value, int) and value > 9999 else str(value)
    return text if whole or len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
