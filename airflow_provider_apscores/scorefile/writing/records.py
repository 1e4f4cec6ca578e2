"""Student records, text by field name, as lines of a score file. The sandbox writes its files with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from airflow_provider_apscores.scorefile.spec.layouts import CSV_COLUMNS, CURRENT_LAYOUT, LAYOUTS


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
    if layout not in LAYOUTS:
        raise ValueError(f"Layouts are {', '.join(LAYOUTS)}; not {layout!r}.")
    chosen = LAYOUTS[layout]
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


def _quoted(cells: Iterable[str], delimiter: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return line.getvalue()
