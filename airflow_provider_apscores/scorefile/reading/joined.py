"""Lines that hold several records: files that were joined without a line end in between, or files without line ends.

Each record is then as long as its layout, and the next one stands behind it. That it does is seen from its campus and
its report date. A line is cut as long as this is so, and what is left of it is a line like any other.
"""

from __future__ import annotations

import codecs
import re

from airflow_provider_apscores.scorefile.reading.lines import is_blank
from airflow_provider_apscores.scorefile.spec.layouts import CURRENT_LAYOUT, LAYOUTS

_LENGTHS = [layout.length for layout in LAYOUTS.values()]

#: Both stand in the same columns in every layout.
_SEEN_FROM = [CURRENT_LAYOUT.fields[name].span for name in ("college_code", "report_date")]

#: A record ends here at the earliest.
_SHORTEST = _SEEN_FROM[-1].stop

#: Bytes of the shortest line that may hold two records.
_SHORTEST_JOINED = min(_LENGTHS) + _SHORTEST

_CAMPUS = re.compile("(?:[0-9]{6})?")

#: The month or the day first.
_MONTH, _DAY = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(f"(?:(?:{_MONTH}{_DAY}|{_DAY}{_MONTH})[0-9]{{2}})?")

#: What may stand before a record that was the first of another file, as characters or as bytes.
_BEFORE = re.compile("[\r\x00\x0c\x1a]*(?:\ufeff|\xef\xbb\xbf)?")


def cut_joined(line: bytes, *, complete: bool) -> list[bytes]:
    """The records of a line, and what is left of it; the line alone if it does not hold several records.

    Args:
        line: The line without its line end.
        complete: Whether it ends there. If not, its last two records may be left.
    """
    if len(line) < _SHORTEST_JOINED:
        return [line]
    # As everywhere, positions count characters, or else bytes.
    for encoding in ("latin-1",) if line.isascii() else ("utf-8", "latin-1"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(line, complete)
        except UnicodeDecodeError:
            continue
        pieces, at = [], 0
        while (end := _record_end(text, at, complete=complete)) is not None:
            pieces.append(text[at:end].encode(encoding))
            at = end
        if pieces:
            return [*pieces, line[sum(map(len, pieces)) :]]
    return [line]


def stands(text: str, at: int) -> bool:
    """Whether a record may begin at a position: its campus and its report date can be these or blank, and one is not
    blank.
    """
    campus, report = (text[at + span.start : at + span.stop].strip(" ") for span in _SEEN_FROM)
    if len(text) - at < _SHORTEST or not (campus or report):
        return False
    return bool(_CAMPUS.fullmatch(campus) and _DATE.fullmatch(report))


def _record_end(text: str, at: int, *, complete: bool) -> int | None:
    """Where the record ends that begins at a position, if another one follows it, or nothing."""
    begin = _begin(text, at)
    if len(text) - begin <= max(_LENGTHS) or not stands(text, begin):
        return None
    for end in (begin + length for length in _LENGTHS):
        left = len(text) - end
        if stands(text, _begin(text, end)) or (complete and left < _SHORTEST and is_blank(text[end:].encode())):
            return end
    return None


def _begin(text: str, at: int) -> int:
    found = _BEFORE.match(text, at)
    return found.end() if found else at
