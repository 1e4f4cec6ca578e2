"""Student records as raw text by field name: to the lines of a score file, and back.

Nothing is typed here, so ``encode_record(decode_record(line)) == line`` for every line of a layout's length, fillers
included. :func:`raw_records` makes raw records from tables, which do not hold fillers, blanks before a value, or values
that could not be read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile.spec.fields import Layout
from airflow_provider_apscores.scorefile.spec.layouts import (
    AWARDS_GROUP,
    CSV_COLUMNS,
    CURRENT_LAYOUT,
    EXAMS_GROUP,
    LAYOUTS,
)
from airflow_provider_apscores.scorefile.spec.tables import TABLES
from airflow_provider_apscores.storage import Staging, locate

#: Raw fields whose column has another name.
_RENAMED = {"released_date": "scores_released_date", "exam_grade": "score"}


def _columns_of(table: str, fields: Iterable[str]) -> dict[str, str]:
    """The column of *table* for each raw field; fillers have none."""
    names = {column.name for column in TABLES[table].columns}
    return {field: name for field in fields if (name := _RENAMED.get(field, field)) in names}


_EXAM_FIELDS = _columns_of("exam_scores", (each.name for each in EXAMS_GROUP.fields))
_AWARD_FIELDS = _columns_of("awards", (each.name for each in AWARDS_GROUP.fields))
_TXT_FIELDS = _columns_of("students", (name for layout in LAYOUTS.values() for name in layout.fields))
_STUDENT_FIELDS = _columns_of("students", dict.fromkeys([*_TXT_FIELDS, *(name for _, name in CSV_COLUMNS)]))

#: Fields that only the CSV file has a column for.
_CSV_ONLY = _STUDENT_FIELDS.keys() - _TXT_FIELDS.keys()


def encode_record(values: Mapping[str, str], layout: str = CURRENT_LAYOUT.name) -> bytes:
    """One student record as a line of a TXT file, without a line end.

    Args:
        values: Text by field name (``ap_id``, ``exam_code_01``); a field that is left out is blank. Positions count
            characters: a name with letters beyond ASCII is encoded as UTF-8 and keeps its columns.
        layout: A name in :data:`~.layouts.LAYOUTS`.

    Raises:
        ValueError: No such layout; a field that the layout does not have; or a value wider than its field or with a
            line end in it. The message names the field, never the value.
    """
    chosen = _layout(layout)
    record = [" "] * chosen.length
    for name, value in values.items():
        field = chosen.fields.get(name)
        if field is None:
            raise ValueError(f"Layout {layout} has no field {name}.")
        if len(value) > field.width:
            raise ValueError(f"{name} has room for {field.width} characters, not {len(value)}.")
        if "\n" in value or "\r" in value:
            raise ValueError(f"{name} holds a line end.")
        record[field.start - 1 : field.start - 1 + len(value)] = value
    return "".join(record).encode()


def decode_record(line: bytes | str, layout: str = CURRENT_LAYOUT.name) -> dict[str, str]:
    """The text of every field of a TXT line that is not blank, fillers included; blanks on the right are dropped.

    Args:
        line: A line without its line end.
        layout: A name in :data:`~.layouts.LAYOUTS`.

    Raises:
        ValueError: No such layout, or the line is not as long as it says.
    """
    chosen = _layout(layout)
    text = line if isinstance(line, str) else line.decode()
    if len(text) != chosen.length:
        raise ValueError(f"A record of layout {layout} has {chosen.length} characters, not {len(text)}.")
    values = ((name, text[field.span].rstrip(" ")) for name, field in chosen.fields.items())
    return {name: value for name, value in values if value}


def csv_header(delimiter: str = ",") -> str:
    """The header line of a CSV score file, without a line end."""
    return _quoted((header for header, _ in CSV_COLUMNS), delimiter)


def encode_csv_record(values: Mapping[str, str], delimiter: str = ",") -> str:
    """One student record as a line of a CSV file under :func:`csv_header`, every value quoted, without a line end.

    Args:
        values: Text by field name; a field that is left out is empty. Fillers have no column of their own.
        delimiter: The character between values.

    Raises:
        ValueError: A field that the CSV file has no column for.
    """
    unknown = values.keys() - {name for _, name in CSV_COLUMNS}
    if unknown:
        raise ValueError(f"The CSV file has no column for {', '.join(sorted(unknown))}.")
    return _quoted((values.get(name, "") if name else "" for _, name in CSV_COLUMNS), delimiter)


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
    records: Iterable[Mapping[str, str]],
    target: Any,
    *,
    file_format: str = "TXT",
    layout: str = CURRENT_LAYOUT.name,
    line_end: str = "\n",
) -> int:
    """Write raw records as a score file.

    Args:
        records: Text by field name. Fields that only CSV files have are left out of TXT files.
        target: A local path, a URI, a path object, or a binary file object.
        file_format: "TXT" or "CSV".
        layout: For TXT: a name in :data:`~.layouts.LAYOUTS`.
        line_end: The end of each line.

    Returns:
        The number of records that were written.

    Raises:
        ValueError: A value does not fit into its field. The message names the field, never the value.
        ConfigurationError: The format or layout is not known.
        StorageUnavailable: The target can't be written.
    """
    if file_format not in ("TXT", "CSV") or layout not in LAYOUTS:
        raise ConfigurationError(f"Score files are TXT ({', '.join(LAYOUTS)}) or CSV.")
    end = line_end.encode()
    count = 0
    with ExitStack() as stack:
        staging = None
        file = target
        if not hasattr(target, "write"):
            place, name = locate(target)
            staging = stack.enter_context(Staging(place))
            file = staging.open(name)
        if file_format == "CSV":
            file.write(csv_header().encode() + end)
        for values in records:
            if file_format == "CSV":
                line = encode_csv_record(values).encode()
            else:
                line = encode_record({name: value for name, value in values.items() if name not in _CSV_ONLY}, layout)
            file.write(line + end)
            count += 1
        if staging is not None:
            staging.publish()
    return count


def _raw(value: Any) -> str:
    """A value of a table as text in a score file."""
    if value is None:
        return ""
    if isinstance(value, date):
        return f"{value:%m%d%y}"
    if isinstance(value, int) and value > 99:
        return f"{value % 100:02}"
    return str(value)


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise ValueError(f"Layouts are {', '.join(LAYOUTS)}; not {name!r}.")
    return LAYOUTS[name]


def _quoted(cells: Iterable[str], delimiter: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return line.getvalue()
