"""Score files, tables or raw records to a score file.

A score file goes to its own kind as it stood, record by record, whatever stands in them. Anything else is laid out anew
from tables. What those do not hold (fillers, blanks before a value, values that could not be read) is blank then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile.reader import ScoreFile
from airflow_provider_apscores.scorefile.spec.layouts import (
    AWARDS_GROUP,
    CSV_COLUMNS,
    CURRENT_LAYOUT,
    EXAMS_GROUP,
    LAYOUTS,
)
from airflow_provider_apscores.scorefile.spec.tables import TABLES
from airflow_provider_apscores.scorefile.writing.records import csv_header, encode_csv_record, encode_record
from airflow_provider_apscores.storage import Staging, locate

#: Raw fields whose column has another name.
_RENAMED = {"released_date": "scores_released_date", "exam_grade": "score"}


def _columns_of(table: str, fields: Iterable[str]) -> dict[str, str]:
    """Which column of *table* holds each raw field; fillers have none."""
    names = {column.name for column in TABLES[table].columns}
    return {field: name for field in fields if (name := _RENAMED.get(field, field)) in names}


_EXAM_FIELDS = _columns_of("exam_scores", (each.name for each in EXAMS_GROUP.fields))
_AWARD_FIELDS = _columns_of("awards", (each.name for each in AWARDS_GROUP.fields))
_TXT_FIELDS = _columns_of("students", (name for layout in LAYOUTS.values() for name in layout.fields))
_STUDENT_FIELDS = _columns_of("students", dict.fromkeys([*_TXT_FIELDS, *(name for _, name in CSV_COLUMNS)]))

#: What only the CSV file has columns for.
_CSV_ONLY = _STUDENT_FIELDS.keys() - _TXT_FIELDS.keys()


def raw_records(students: Any, exam_scores: Any, awards: Any) -> Iterator[dict[str, str]]:
    """Student records as raw fields, made from tables: one for each row of *students*.

    Args:
        students: A ``pyarrow.Table`` or ``RecordBatch`` with the columns of ``students``, of one score file.
        exam_scores: Likewise. Rows of other students are left out.
        awards: Likewise.
    """
    slots: dict[int, dict[str, str]] = {}
    for rows, group, fields in ((exam_scores, EXAMS_GROUP, _EXAM_FIELDS), (awards, AWARDS_GROUP, _AWARD_FIELDS)):
        for row in rows.to_pylist():
            of_record = slots.setdefault(row["record_number"], {})
            for name, column in fields.items():
                of_record[group.field_name(name, row["position"])] = _raw(row[column])
    for row in students.to_pylist():
        values = {name: _raw(row[column]) for name, column in _STUDENT_FIELDS.items()}
        values.update(slots.get(row["record_number"], {}))
        yield {name: value for name, value in values.items() if value}


def write_score_file(
    records: ScoreFile | Iterable[Mapping[str, str]],
    target: Any,
    *,
    file_format: str | None = None,
    layout: str | None = None,
    line_end: str | None = None,
) -> int:
    """Write a score file.

    Args:
        records: A score file that was read, or raw records: text by field name.
        target: A local path, a URI, a path object, or a binary file object.
        file_format: "TXT" or "CSV"; None for that of the score file, for TXT with raw records.
        layout: For TXT: a name in :data:`~.layouts.LAYOUTS`; None for that of each record, for the current one with raw
            records.
        line_end: What ends a line; None for that of the score file, for LF with raw records.

    Returns:
        How many records were written.

    Raises:
        ValueError: A value does not fit into its field; names the field, never the value.
        ConfigurationError: The format or layout is not known.
        StorageUnavailable: The target can't be written.
    """
    file = records if isinstance(records, ScoreFile) else None
    file_format = file_format or (file.kind if file else "TXT")
    if file_format not in ("TXT", "CSV") or layout not in (None, *LAYOUTS):
        raise ConfigurationError(f"Score files are TXT ({', '.join(LAYOUTS)}) or CSV.")
    own = file if file and file.kind == file_format else None
    end = line_end.encode() if line_end is not None else file.line_end if file else b"\n"
    with ExitStack() as stack:
        staging = None
        if hasattr(target, "write"):
            written = target
        else:
            place, name = locate(target)
            staging = stack.enter_context(Staging(place))
            written = staging.open(name)
        in_line = file_format == "CSV"
        written.write(own.heading if own else csv_header().encode() if in_line else b"")
        count = 0
        for line, is_record in _lines(records, file_format, layout):
            written.write(end + line if in_line else line)
            in_line = True
            count += is_record
        if in_line and not (own and own.ends_open):
            written.write(end)
        if staging is not None:
            staging.publish()
    return count


def _lines(
    records: ScoreFile | Iterable[Mapping[str, str]], file_format: str, layout: str | None
) -> Iterator[tuple[bytes, bool]]:
    """Lines without line ends, and whether each is a record: it may be a header in the middle as well."""
    if not isinstance(records, ScoreFile):
        yield from ((_encoded(values, file_format, layout), True) for values in records)
        return
    for block, batch in records.blocks_and_batches():
        if records.kind == file_format and (file_format == "CSV" or layout in (None, block.layout.name)):
            lines = [*block.lost, *((int(number), block.raw_line(row)) for row, number in enumerate(block.numbers))]
            yield from ((line, False) for line in block.headers)
            yield from ((line, True) for _, line in sorted(lines))
        else:
            for values in raw_records(batch.students, batch.exam_scores, batch.awards):
                yield _encoded(values, file_format, layout), True


def _encoded(values: Mapping[str, str], file_format: str, layout: str | None) -> bytes:
    if file_format == "CSV":
        return encode_csv_record(values).encode()
    in_txt = {name: value for name, value in values.items() if name not in _CSV_ONLY}
    return encode_record(in_txt, layout or CURRENT_LAYOUT.name)


def _raw(value: Any) -> str:
    """A value of a table as it stands in a file."""
    if value is None:
        return ""
    if isinstance(value, date):
        return f"{value:%m%d%y}"
    if isinstance(value, int) and value > 99:
        return f"{value % 100:02}"
    return str(value)
