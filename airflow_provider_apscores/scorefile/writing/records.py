"""Student records as they stand in a file: raw text by field name, to bytes and back. Standard library only.

This is the lossless half of reading and writing. Nothing is typed here, fillers included, so that
``encode_record(decode_record(line)) == line`` for every line of a layout's length.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from airflow_provider_apscores.scorefile.spec.fields import Layout
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
        delimiter: What stands between values.

    Raises:
        ValueError: A field that the CSV file has no column for.
    """
    homeless = values.keys() - {name for _, name in CSV_COLUMNS}
    if homeless:
        raise ValueError(f"The CSV file has no column for {', '.join(sorted(homeless))}.")
    return _quoted((values.get(name, "") if name else "" for _, name in CSV_COLUMNS), delimiter)


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise ValueError(f"Layouts are {', '.join(LAYOUTS)}; not {name!r}.")
    return LAYOUTS[name]


def _quoted(cells: Iterable[str], delimiter: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return line.getvalue()
