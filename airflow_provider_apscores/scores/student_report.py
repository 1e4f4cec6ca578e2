"""A report about students for print: one page a student, as one HTML file. Personal data: never log it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile import EXAMS
from airflow_provider_apscores.scores.students import StudentHistory, full_name, student_histories

if TYPE_CHECKING:
    import pyarrow as pa

NOTICE = "Made from the data file; not an official College Board score report."

#: What a status means, for a reader who does not know the tables.
STATUS_WORDS = {
    "reported": "reported",
    "projected": "projected from a part of the exam",
    "delayed": "delayed; a score may follow",
    "pending": "waiting for the student's decision",
    "canceled": "canceled",
    "withheld": "withheld from this college at the student's request",
    "unavailable": "not available",
    "unknown": "no score reported",
}

_CSS = """\
:root { color-scheme: light; }
body { font: 10pt/1.35 system-ui, sans-serif; color: #111; background: #fff; margin: 2em auto; max-width: 52em; }
article { break-after: page; padding-bottom: 2em; }
article:last-child { break-after: auto; }
h1 { font-size: 15pt; margin: 0 0 .2em; }
h2 { font-size: 11pt; margin: 1.2em 0 .3em; break-after: avoid; }
.notice { border: 1px solid #111; padding: .3em .6em; font-weight: 600; margin: 0 0 1em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; margin: .5em 0; }
dt { color: #444; }
dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th { white-space: nowrap; }
th, td { text-align: left; vertical-align: top; padding: .25em .8em .25em 0; border-bottom: 1px solid #ccc; }
th { border-bottom: 1px solid #111; font-weight: 600; }
tr { break-inside: avoid; }
thead { display: table-header-group; }
td.score { font-weight: 600; }
td.date { white-space: nowrap; padding-right: 0; }
td.subscore { padding-left: 1.2em; }
small, footer { color: #444; font-size: 8.5pt; }
footer { margin-top: 1em; overflow-wrap: anywhere; }
@page { size: letter; margin: 16mm; }
@media print { body { margin: 0; max-width: none; font-size: 9pt; } article { padding: 0; } }
"""


def student_report(
    sources: Iterable[Any], ap_ids: Iterable[str], *, crosswalk: pa.Table | Mapping[str, str] | None = None
) -> str:
    """Return a page for each student: current exam scores in words, awards, and what each report said.

    Args:
        sources: Score files, or folders of parsed tables.
        ap_ids: AP IDs, one page each, in this order.
        crosswalk: As for :func:`~airflow_provider_apscores.scores.current_state`.

    Returns:
        HTML with styles for print. It holds personal data: write it to a file that only its owner can read.

    Raises:
        ConfigurationError: No file has one of the AP IDs.
        ScoreFileMalformed: A file is no score file.
        StorageUnavailable: A source can't be read now.
    """
    pages = "".join(_page(each) for each in student_histories(sources, ap_ids, crosswalk=crosswalk))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="robots" content="noindex">\n<title>AP score history</title>\n'
        f"<style>\n{_CSS}</style>\n</head>\n<body>\n{pages}</body>\n</html>\n"
    )


def exam_names(code: str | None, year: int | None, title: str | None) -> str:
    """The exam's title in its year, and the other titles of a code that was renamed."""
    others = []
    for exam in EXAMS:
        if exam.code == code and title and exam.title != title:
            is_later = exam.first_year is not None and exam.first_year > (year or 0)
            others.append(f"{f'since {exam.first_year}' if is_later else f'up to {exam.last_year}'}: {exam.title}")
    name = title or f"Exam {code or 'without a code'}"
    return f"{name} ({'; '.join(others)})" if others else name


def _page(history: StudentHistory) -> str:
    latest = max(history.students, key=lambda row: row["report_date"] or date.min)
    facts = [
        ("AP ID", ", ".join(sorted({row["ap_id"] for row in [*history.students, *history.reports]}))),
        ("Birth date", latest["birth_date"]),
        ("High school", latest["high_school_name"]),
        ("Latest report", latest["report_date"]),
    ]
    shown = "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in facts if value)
    parts = [
        f"<h1>{escape(full_name(latest)) or 'Student without a name'}</h1>",
        f'<p class="notice">{NOTICE}</p>',
        f"<dl>{shown}</dl>",
    ]
    for student in history.students:
        college = student["college_code"]
        rows = [row for row in history.exam_scores if row["college_code"] == college]
        rows.sort(key=lambda row: (-(row["admin_year"] or 0), row["exam_code"] or ""))
        campus = " ".join(filter(None, (student["college_name"], f"({student['di_code'] or 'no code'})")))
        parts.append(f"<h2>Exam scores sent to {escape(campus)}</h2>")
        header = ("Year", "Exam", "Score", "Status, and what earlier reports said", "Last report")
        parts.append(_table(header, [_score(row, history.reports) for row in rows]))
        awards = [row for row in history.awards if row["college_code"] == college]
        if awards:
            parts.append("<h2>Awards</h2>")
            cells = [[_text(row["award_year"]), _text(row["award_title"] or row["award_type"])] for row in awards]
            parts.append(_table(("Year", "Award"), cells))
    files = ", ".join(digest[:12] for digest in history.files)
    parts.append(f"<footer>{NOTICE} Files (SHA-256): {files}</footer>")
    return f"<article>\n{chr(10).join(parts)}\n</article>\n"


def _score(row: Mapping[str, Any], reports: Iterable[Mapping[str, Any]]) -> list[str]:
    gone = "no longer in the latest report; before that " if row.get("withdrawn") else ""
    status = "<br>".join(
        [escape(gone + _status(row)), *(f"<small>{escape(each)}</small>" for each in _earlier(row, reports))]
    )
    return [
        _text(row["admin_year"]),
        _text(
            exam_names(row["exam_code"], row["admin_year"], row["exam_title"]), "subscore" if row["subscore_of"] else ""
        ),
        _text(row["score"], "score"),
        f"<td>{status}</td>",
        _text(row["report_date"], "date"),
    ]


def _earlier(row: Mapping[str, Any], reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """What earlier reports said about the exam of *row* where they said something else, the latest first."""
    said = [(row["score"], _status(row))]
    texts = []
    key = ("college_code", "admin_year", "exam_code")
    for report in reversed([each for each in reports if all(each[name] == row[name] for name in key)]):
        words = report["score"], _status(report)
        if words != said[-1]:
            said.append(words)
            score = f"score {report['score']}, " if report["score"] else ""
            texts.append(f"{report['report_date'] or 'without a date'}: {score}{words[1]}")
    return texts


def _status(row: Mapping[str, Any]) -> str:
    words = STATUS_WORDS.get(row["status"], row["status"])
    return f"{words} ({row['irregularity_notes']})" if row["irregularity_notes"] else words


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in header)
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def _text(value: object, kind: str = "") -> str:
    return f"<td{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{escape('' if value is None else str(value))}</td>"
