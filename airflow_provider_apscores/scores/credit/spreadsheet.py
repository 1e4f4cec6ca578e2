"""Read the rows of a CSV that people edit in a spreadsheet.

Spreadsheets change what they save: they separate by semicolons or tabs, add a byte order mark and empty rows, or save
another encoding.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.storage import locate


def spreadsheet_rows(source: Any, kind: str, required: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the line on which it begins.

    The first has the names of the columns, in lower case with underscores. A row whose quotation marks do not match is
    an empty list, and the next line is read as a row of its own.

    Args:
        source: The CSV: a local path, a URI or a path object.
        kind: What the file should be, for messages.
        required: Columns that it must have.

    Raises:
        ConfigurationError: It has no such columns. The message quotes nothing of it.
        StorageUnavailable: It can't be read now.
    """
    place, name = locate(source)
    uri = place.uri(name)
    with place.open(name) as file:
        lines = list(io.StringIO(_decoded(file.read(), uri), newline=""))
    rows = _rows(lines)
    line, head = next(rows, (0, None))
    if head is None:
        raise ConfigurationError(f"{uri} is empty. The first line of a {kind} names the columns.")
    header = [re.sub(r"[\s-]+", "_", cell.lower()) for cell in head]
    if not set(required) <= set(header):
        raise ConfigurationError(
            f"{uri} is no {kind}: its first line must name the columns, with {' and '.join(required)} among them."
        )
    yield line, header
    yield from rows


def _decoded(data: bytes, uri: str) -> str:
    if data[:2] == b"PK":
        raise ConfigurationError(f"{uri} is a workbook. Save the sheet as CSV (UTF-8), and name that file.")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")  # what Excel saves as "CSV" in the United States


def _rows(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    head = next((line for line in lines if line.strip()), "")
    separator = max(",;\t", key=head.count)
    begin = 0
    while begin < len(lines):
        rows = csv.reader(lines[begin:], delimiter=separator, strict=True)
        read = 0
        try:
            for cells in rows:
                cleaned = [_clean(cell) for cell in cells]
                if any(cleaned):
                    yield begin + read + 1, cleaned
                read = rows.line_num
        except csv.Error:
            yield begin + read + 1, []
            read += 1
        begin += read


def _clean(cell: str) -> str:
    return " ".join(cell.replace("\N{ZERO WIDTH SPACE}", "").replace("\ufeff", "").split())
