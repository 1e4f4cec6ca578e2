"""What a stream of bytes is: student records in columns, CSV under a header, or no score file at all.

Told from the content, never from a file's name. What a CSV header means is understood here as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.reading.csv_lines import MOST_LINES, cells_of
from airflow_provider_apscores.scorefile.reading.lines import is_blank
from airflow_provider_apscores.scorefile.reading.txt_lines import looks_like_a_record
from airflow_provider_apscores.scorefile.spec.layouts import (
    AWARDS_GROUP,
    CSV_ALIASES,
    CSV_COLUMNS,
    CURRENT_LAYOUT,
    EXAMS_GROUP,
    LAYOUTS,
    csv_fields,
    csv_key,
)

#: How much of a file is looked at: more than any header line.
HEAD = 1 << 16

_BOM = b"\xef\xbb\xbf"

#: How files begin that people and servers send instead of a score file.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%pdf", "a PDF document; order or download the TXT or CSV format"),
    (b"pk\x03\x04", "a ZIP archive or an Excel workbook; unpack it, or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV"),
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first (gzip is understood)"),
    (b"bzh", "compressed with bzip2; unpack it first (gzip is understood)"),
    (b"\xfd7zxz\x00", "compressed with xz; unpack it first (gzip is understood)"),
    (b"\x1f\x8b", "compressed twice with gzip; unpack it once"),
    (b"-----begin pgp", "an encrypted file; College Board sends plain TXT and CSV files now"),
    (b"par1", "a Parquet file, perhaps already the tables of a score file"),
    (b"{", "JSON, perhaps an answer of the web service; fetch the file again"),
    (b"[", "JSON; fetch the file again"),
    (b"<?xml", "an XML message, as an expired download address answers; order a fresh file"),
    (b"<error", "an XML message, as an expired download address answers; order a fresh file"),
    (b"<", "a web page, as maintenance or a login page gives; fetch the file again"),
)

#: Without these nothing sensible can be said about a record.
_ESSENTIAL = ("ap_id", "last_name", "birth_date", "college_code")

#: Columns of a slot that say nothing about its score.
_OPTIONAL = ("suppression_flag", "class_section")

#: How many missing columns an error names.
_NAMED = 8


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is.

    Attributes:
        kind: "TXT" or "CSV".
        skip: Bytes before the first record or the header: a byte order mark, Excel's ``sep=`` line.
        delimiter: What separates CSV values, or "".
        line_end: What ends the first line: LF, CRLF, or CR alone, as on old Macs; LF where there is one line only.
    """

    kind: str
    skip: int
    delimiter: str = ""
    line_end: bytes = b"\n"


def recognise(head: bytes, *, complete: bool) -> Recognised:
    """Tell what a file is from its beginning.

    Args:
        head: The first :data:`HEAD` bytes, unpacked.
        complete: *head* is all there is.

    Raises:
        ScoreFileMalformed: Empty, or no score file; says what it looks like and what to do.
    """
    skip = len(_BOM) if head.startswith(_BOM) else 0
    if complete and is_blank(head[skip:]):
        raise ScoreFileMalformed("The file is empty. Fetch it again; nothing new is told by an answer, not by a file.")
    cr_only = _ends_lines_with_cr(head[skip:])
    lines = (head[skip:].replace(b"\r", b"\n") if cr_only else head[skip:]).split(b"\n")
    if not complete and len(lines) > 1:
        lines.pop()
    lines = [line.removesuffix(b"\r") for line in lines if not is_blank(line)]
    looks = head[skip:].lstrip()[:64].lower()
    for signature, what in _SIGNATURES:
        # An AP ID or a name may begin like anything.
        if looks.startswith(signature) and not (lines and _is_record(lines[0])):
            raise ScoreFileMalformed(f"This is no AP score file: it is {what}.")
    separator = re.match(rb'\s*"?sep=(.)"?(\r?\n|\r)', head[skip:], re.IGNORECASE)
    if separator:
        skip += separator.end()
    delimiter = separator[1].decode("latin-1") if separator else ""
    line_end, delimiter = _first_row(head, skip, delimiter)
    if delimiter:
        return Recognised("CSV", skip, delimiter, line_end)
    if any(map(looks_like_a_record, lines)):
        feed = re.search(rb"\r?\n", head)
        line_end = b"\r" if cr_only else feed[0] if feed else b"\n"
        return Recognised("TXT", skip, line_end=line_end)
    lengths = " or ".join(str(layout.length) for layout in reversed(LAYOUTS.values()))
    raise ScoreFileMalformed(
        f"This is no AP score file: its lines are no student records of {lengths} characters, "
        "and its first line is no CSV header that names the columns. "
        "Give it as College Board's web service or portal gave it."
    )


def _first_row(head: bytes, skip: int, delimiter: str) -> tuple[bytes, str]:
    """The line end of the first row of a CSV file, and its delimiter: "" if it is no such row."""
    # Where the first line ends with CR alone, every CR ends one, as CsvSplitter has it.
    first = re.search(rb"\r*\n|\r", head)
    begin, lines = skip, 0
    for line_end in re.finditer(rb"\r*\n|\r" if first and first[0] == b"\r" else rb"\r*\n", head[skip:]):
        end = skip + line_end.start()
        row = head[begin:end]
        if is_blank(row):
            begin = end
            continue
        lines += 1
        found = delimiter or _delimiter(row)
        # A name may hold a line end; then its quote is still open here.
        if cells_of(row.decode("latin-1").lstrip("\r\n"), found or ",") is not None:
            return line_end[0], found
        if lines == MOST_LINES:
            break
    return first[0] if first else b"\n", delimiter or _delimiter(head[begin:])


def _ends_lines_with_cr(text: bytes) -> bool:
    """Whether TXT lines end with CR alone: it stands between records before the first LF, or behind the only one.

    A CR within a record is none: what is before the first LF is then no longer than a record.
    """
    line, line_feed, _ = text.partition(b"\n")
    pieces = [piece for piece in line.split(b"\r") if not is_blank(piece)]
    if b"\r" not in line or (len(pieces) == 1 and line_feed):
        return False
    return (len(pieces) == 1 or len(line.rstrip()) > CURRENT_LAYOUT.length) and any(map(_is_record, pieces))


def _is_record(line: bytes) -> bool:
    return looks_like_a_record(line, of_a_campus=True)


def _delimiter(line: bytes) -> str:
    """What separates the names of a CSV header; "" when the line is none."""
    text = line.decode("latin-1")
    known = csv_fields()
    found = {delimiter: sum(csv_key(cell) in known for cell in text.split(delimiter)) for delimiter in ",\t;|"}
    best = max(found, key=lambda delimiter: found[delimiter])
    return best if found[best] >= 3 else ""


@cache
def _own_keys() -> frozenset[str]:
    """College Board's own headings, as :func:`~.layouts.csv_key` gives them."""
    return frozenset(csv_key(heading) for heading, _ in CSV_COLUMNS)


@dataclass(frozen=True, slots=True)
class Header:
    """A CSV header, understood.

    Attributes:
        width: Columns.
        columns: Which column holds a field, counted from 0.
        unread: Names of columns that were not understood, or whose field another column already gives.
        second: Which other columns give a field as well: column, field, and whether it has the name of the first.
    """

    width: int
    columns: dict[str, int]
    unread: tuple[str, ...]
    second: dict[int, tuple[str, bool]]


def understand_header(names: list[str]) -> Header:
    """Find the fields in a CSV header.

    Raises:
        ScoreFileMalformed: Columns are missing without which scores could be lost or not assigned; names them.
    """
    known = csv_fields()
    columns: dict[str, int] = {}
    second: dict[int, tuple[str, bool]] = {}
    unread = []
    # College Board's own headings first: a vendor's column before them may have the name that they once had.
    keys = [csv_key(name) for name in names]
    for at in sorted(range(len(keys)), key=lambda at: keys[at] not in _own_keys()):
        field = known.get(keys[at]) if keys[at] else ""
        if field is None or (field and field in columns):
            unread.append(names[at])
            if field and _is_heading(keys[at], field):
                second[at] = field, keys[at] == keys[columns[field]]
        elif field:
            columns[field] = at
    missing = {field for field in _ESSENTIAL if field not in columns}
    # A part of a slot would give exams without a score, scores without an exam, or canceled scores as reported ones.
    for group in (EXAMS_GROUP, AWARDS_GROUP):
        for slot in range(1, group.count + 1):
            in_slot = {each.name: group.field_name(each.name, slot) for each in group.fields}
            if (group is EXAMS_GROUP and slot == 1) or any(field in columns for field in in_slot.values()):
                missing.update(
                    field for name, field in in_slot.items() if field not in columns and name not in _OPTIONAL
                )
    if not any(field.startswith("irregularity") for field in columns):
        for name in unread:
            if csv_key(name).startswith("irregularit"):
                raise ScoreFileMalformed(
                    f"The CSV header calls a column {name[:40]!r}, which is not understood. Without irregularity codes "
                    f"a canceled score looks like any other; name it as College Board does, "
                    f'"{_heading(EXAMS_GROUP.field_name("irregularity_1", 1))}".'
                )
    if missing:
        headings = [f'"{heading}"' for heading, field in CSV_COLUMNS if field in missing]
        named = ", ".join(headings[:_NAMED]) + (f" and {more} more" if (more := len(headings) - _NAMED) > 0 else "")
        raise ScoreFileMalformed(
            f"The CSV header has no column {named}. Without it scores would be lost or belong to nobody; "
            "get the file again with all its columns, named as College Board names them."
        )
    return Header(len(names), columns, tuple(unread), second)


def _is_heading(key: str, field: str) -> bool:
    """Whether College Board or a public loader names a column so; a vendor may use our own name of the field."""
    spellings = map(csv_key, CSV_ALIASES.get(field, ()))
    return key in _own_keys() or field in CURRENT_LAYOUT.slot_names or key in spellings


def _heading(field: str) -> str:
    """College Board's name of a CSV column."""
    return next(heading for heading, name in CSV_COLUMNS if name == field)


def tells_names(cells: list[str]) -> bool:
    """Whether most of what stands in *cells* are names of columns."""
    known = csv_fields()
    filled = [cell for cell in cells if cell.strip()]
    return 2 * sum(csv_key(cell) in known for cell in filled) > len(filled)
