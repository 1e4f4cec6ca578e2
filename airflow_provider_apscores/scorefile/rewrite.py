"""Tables or raw records back to a score file: what was read from it, byte for byte.

What the tables do not hold (fillers, and values that could not be read) comes back blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile.layouts import AWARDS_GROUP, EXAMS_GROUP, LAYOUTS
from airflow_provider_apscores.scorefile.reader import ScoreFile
from airflow_provider_apscores.scorefile.records import csv_header, encode_csv_record, encode_record
from airflow_provider_apscores.scorefile.tables import TABLES
from airflow_provider_apscores.storage import Staging, locate

#: Raw fields whose column has another name, or another type.
_STUDENT_FIELDS = {
    **{column.field: column.name for column in TABLES["students"].columns if column.field},
    "birth_date": "birth_date",
    "previous_ai_year_1": "previous_ai_year_1",
    "previous_ai_year_2": "previous_ai_year_2",
    "released_date": "scores_released_date",
    "student_update_date": "student_update_date",
    "report_date": "report_date",
    "race_ethnicity_response": "race_ethnicity_response",
}

_EXAM_FIELDS = {each.name: "score" if each.name == "exam_grade" else each.name for each in EXAMS_GROUP.fields}
_AWARD_FIELDS = {each.name: each.name for each in AWARDS_GROUP.fields}

#: Columns that only the CSV file has.
_CSV_ONLY = frozenset({"province", "postal_code", "student_identifier"})


def raw_records(file: ScoreFile) -> Iterator[dict[str, str]]:
    """The records of a score file as raw fields again, made from its tables."""
    for batch in file.batches():
        slots: dict[int, dict[str, str]] = {}
        for rows, group, fields in (
            (batch.exam_scores, EXAMS_GROUP, _EXAM_FIELDS),
            (batch.awards, AWARDS_GROUP, _AWARD_FIELDS),
        ):
            for row in rows.to_pylist():
                of_record = slots.setdefault(row["record_number"], {})
                for name, column in fields.items():
                    of_record[group.field_name(name, row["position"])] = _raw(row[column])
        for row in batch.students.to_pylist():
            values = {name: _raw(row[column]) for name, column in _STUDENT_FIELDS.items()}
            values.update(slots.get(row["record_number"], {}))
            yield {name: value for name, value in values.items() if value}


def write_score_file(
    records: ScoreFile | Iterable[Mapping[str, str]],
    target: Any,
    *,
    file_format: str = "TXT",
    layout: str = "950",
    line_end: str = "\n",
) -> int:
    """Write a score file.

    Args:
        records: A score file that was read, or raw records: text by field name.
        target: A local path, a URI, a path object, or a binary file object.
        file_format: "TXT" or "CSV".
        layout: For TXT: a name in :data:`~.layouts.LAYOUTS`.
        line_end: What ends a line.

    Returns:
        How many records were written.

    Raises:
        ValueError: A value does not fit into its field; names the field, never the value.
        ConfigurationError: The format or layout is not known.
        StorageUnavailable: The target can't be written.
    """
    if file_format not in ("TXT", "CSV") or layout not in LAYOUTS:
        raise ConfigurationError(f"Score files are TXT ({', '.join(LAYOUTS)}) or CSV.")
    rows = raw_records(records) if isinstance(records, ScoreFile) else records
    with ExitStack() as stack:
        staging = None
        if hasattr(target, "write"):
            file = target
        else:
            place, name = locate(target)
            staging = stack.enter_context(Staging(place))
            file = staging.open(name)
        end = line_end.encode()
        if file_format == "CSV":
            file.write(csv_header().encode() + end)
        count = 0
        for count, values in enumerate(rows, 1):  # noqa: B007 - the count is the result
            if file_format == "CSV":
                file.write(encode_csv_record(values).encode() + end)
            else:
                known = {name: value for name, value in values.items() if name not in _CSV_ONLY}
                file.write(encode_record(known, layout) + end)
        if staging is not None:
            staging.publish()
    return count


def _raw(value: Any) -> str:
    """A value of a table as it stands in a file."""
    if value is None:
        return ""
    if isinstance(value, date):
        return f"{value:%m%d%y}"
    if isinstance(value, int) and value > 99:
        return f"{value % 100:02}"
    return str(value)
