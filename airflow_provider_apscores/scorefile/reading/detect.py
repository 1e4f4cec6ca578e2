"""What a stream of bytes is: student records in columns, CSV under a header, or no score file at all.

The format is found from the content, never from a file's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_apscores.errors import ScoreFileMalformed
from airflow_provider_apscores.scorefile.reading.csv_lines import MOST_LINES, cells_of
from airflow_provider_apscores.scorefile.reading.header import INSTEAD, other_report
from airflow_provider_apscores.scorefile.reading.joined import cut_joined
from airflow_provider_apscores.scorefile.reading.lines import is_blank
from airflow_provider_apscores.scorefile.reading.txt_lines import looks_like_a_record
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT, LAYOUTS, csv_fields, csv_key

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
    (b"par1", "a Parquet file, perhaps already the tables of a score file"),
    (b"{", "JSON, perhaps an answer of the web service; fetch the file again"),
    (b"[", "JSON; fetch the file again"),
    (b"<?xml", "an XML message, as an expired download address answers; order a fresh file"),
    (b"<error", "an XML message, as an expired download address answers; order a fresh file"),
    (b"<", "a web page, as maintenance or a login page gives; fetch the file again"),
)

#: How encrypted files begin: OpenPGP as text, or as a packet of a session key (RFC 9580: tags 1 and 3, of versions 3 to
#: 6); OpenSSL.
_ENCRYPTED = re.compile(
    rb"-----begin pgp|salted__|(?:[\x84\x8c].|[\x85\x8d]..|[\xc1\xc3](?:[\x00-\xbf]|[\xc0-\xdf].))[\x03-\x06]",
    re.DOTALL,
)

#: Lines above a header may be titles, such as the name of a report and its date. A student's row has more cells.
_MOST_TITLES, _TITLE_CELLS, _LONGEST_TITLE = 10, 3, 400

#: Bytes in which the name of another report is looked for: its titles and its header.
_TITLES = 4096


@dataclass(frozen=True, slots=True)
class DetectedFormat:
    """What a file is.

    Attributes:
        kind: "TXT" or "CSV".
        skip: Bytes before the first record or the header: a byte order mark, Excel's ``sep=`` line, titles.
        delimiter: What separates CSV values, or "".
        line_end: What ends the first line: LF, CRLF, or CR alone, as on old Macs; LF where there is one line only.
    """

    kind: str
    skip: int
    delimiter: str = ""
    line_end: bytes = b"\n"


def detect_format(head: bytes, *, complete: bool) -> DetectedFormat:
    """Tell what a file is from its beginning.

    Args:
        head: The first :data:`HEAD` bytes, unpacked.
        complete: *head* is all there is.

    Raises:
        ScoreFileMalformed: Empty, or no score file; says what it looks like and what to do.
    """
    skip = len(_BOM) if head.startswith(_BOM) else 0
    if complete and is_blank(head[skip:]):
        raise ScoreFileMalformed("The file is empty. Fetch it again: a campus without new reports gets no file.")
    cr_only = _ends_lines_with_cr(head[skip:])
    lines = (head[skip:].replace(b"\r", b"\n") if cr_only else head[skip:]).split(b"\n")
    if not complete and len(lines) > 1:
        lines.pop()
    lines = [line.removesuffix(b"\r") for line in lines if not is_blank(line)]
    lines = [record for line in lines for record in cut_joined(line, complete=complete)]
    looks = head[skip:].lstrip()[:64].lower()
    # An AP ID or a name may begin like anything.
    if not (lines and _is_record(lines[0])):
        for signature, what in _SIGNATURES:
            if looks.startswith(signature):
                raise ScoreFileMalformed(f"This is no AP score file: it is {what}.")
        if _ENCRYPTED.match(looks):
            raise ScoreFileMalformed(
                "This is no AP score file: it is encrypted, as files of College Board's discontinued service were. "
                f"{INSTEAD} These are not encrypted."
            )
    separator = re.match(rb'\s*"?sep=(.)"?(\r?\n|\r)', head[skip:], re.IGNORECASE)
    if separator:
        skip += separator.end()
    delimiter = separator[1].decode("latin-1") if separator else ""
    line_end, delimiter, begin = _first_row(head, skip, delimiter)
    if delimiter:
        return DetectedFormat("CSV", begin, delimiter, line_end)
    if any(map(looks_like_a_record, lines)):
        feed = re.search(rb"\r?\n", head)
        line_end = b"\r" if cr_only else feed[0] if feed else b"\n"
        return DetectedFormat("TXT", skip, line_end=line_end)
    lengths = " or ".join(str(layout.length) for layout in reversed(LAYOUTS.values()))
    raise ScoreFileMalformed(
        f"This is no AP score file: its lines are no student records of {lengths} characters, "
        "and its first line is no CSV header that names the columns."
        + (
            other_report(head[:_TITLES].decode("latin-1"))
            or " Give it as College Board's web service or portal gave it."
        )
    )


def _first_row(head: bytes, skip: int, delimiter: str) -> tuple[bytes, str, int]:
    """The line end of the header of a CSV file, its delimiter ("" if there is no header), and where it begins."""
    # Where the first line ends with CR alone, every CR ends one, as CsvSplitter has it.
    first = re.search(rb"\r*\n|\r", head)
    begin, lines, titles = skip, 0, 0
    for line_end in re.finditer(rb"\r*\n|\r" if first and first[0] == b"\r" else rb"\r*\n", head[skip:]):
        end = skip + line_end.start()
        row = head[begin:end]
        if is_blank(row):
            begin = end
            continue
        lines += 1
        found = _delimiter(row)
        # A name may hold a line end; then its quote is still open here.
        if cells_of(row.decode("latin-1").lstrip("\r\n"), delimiter or found or ",", strict=True) is not None:
            if found or not _is_title(row) or titles == _MOST_TITLES:
                return line_end[0], delimiter or found, begin if titles else skip
            begin, lines, titles = end, 0, titles + 1
        elif lines == MOST_LINES:
            break
    return first[0] if first else b"\n", delimiter or _delimiter(head[begin:]), begin if titles else skip


def _is_title(row: bytes) -> bool:
    """Whether a line above a header is a title."""
    cells = (sum(not is_blank(cell.strip(b'"')) for cell in row.split(by)) for by in (b",", b"\t", b";", b"|"))
    return len(row) <= _LONGEST_TITLE and max(cells) <= _TITLE_CELLS


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
