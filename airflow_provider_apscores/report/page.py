"""A report as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from airflow_provider_apscores.report import charts
from airflow_provider_apscores.report.elements import Html, ago, day, duration, element, join, number, plural, time
from airflow_provider_apscores.report.model import Campus, Report, Status
from airflow_provider_apscores.report.style import STYLE

#: Signs beside the words of a status, so that it does not depend on a color.
_SIGNS = {Status.FAILED: "!", Status.PENDING: "…", Status.RECORDED: "✓", Status.LANDED: "↓", Status.EMPTY: "–"}

#: Bars of the small picture in the table: half a year.
_SPARKLINE = 26

_OTHER = "other"

div, span, th, td, p = (partial(element, name) for name in ("div", "span", "th", "td", "p"))


def render(report: Report) -> str:
    """Return the page as a whole HTML document.

    Args:
        report: What it shows.
    """
    head = element(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'),
        element("title", "AP Scores"),
        element("style", Html(STYLE)),
    )
    content = [_overview(report), *(_campus(report, each) for each in report.campuses)]
    body = element(
        "body",
        element("a", "Skip to the campuses", href="#campuses", class_="skip"),
        element("header", *_header(report)),
        element("main", *(content if report.campuses else [_nothing()]), id="campuses"),
        element("footer", p(_FOOTER)),
    )
    return "<!doctype html>\n" + element("html", head, body, lang="en")


_FOOTER = (
    "Counts only. Numbers of files and student records are exact. The scores of an exam are shown if each of its five "
    "counts is at least 10; all other exams are shown as one sum, or not at all."
)


def _header(report: Report) -> list[Html]:
    campuses = report.campuses
    records = sum(each.records for campus in campuses for each in campus.new)
    files = sum(len(campus.new) for campus in campuses)
    attention = sum(report.needs_attention(campus) for campus in campuses)
    pending = sum(campus.pending_since is not None for campus in campuses)
    span_of = duration(report.made_at - report.since)
    tiles = [
        ("Student records", number(records), f"in {plural(files, 'new file')}, {span_of}"),
        (
            "Campuses",
            number(len(campuses)),
            "with deliveries, or checked" if report.has_state else "with deliveries",
        ),
        ("Not recorded", number(pending), "their reports will be sent again"),
        ("Needs attention", number(attention), "an error, a late record or poll, or damage"),
    ]
    return [
        div(
            element("h1", "AP Scores"),
            p("Deliveries of the College Board’s score reports since ", time(report.since, day(report.since)), "."),
            p("As of ", time(report.made_at), class_="made"),
            class_="title",
        ),
        element(
            "dl",
            *(
                div(element("dt", name), element("dd", element("strong", value), span(detail)), class_="tile")
                for name, value, detail in tiles
            ),
            class_="tiles",
        ),
    ]


def _nothing() -> Html:
    return div(
        element("h2", "No deliveries yet"),
        p(
            "A campus appears here after its first download; in Airflow 3.3, also if College Board had nothing new. If "
            "your DAG has run and this page is in Airflow, check that its tasks have the outlets and inlets of the "
            "example DAGs: the page reads what they store."
        ),
        class_="card empty",
    )


def _overview(report: Report) -> Html:
    heads = ["Campus", "Status", "Last delivery", "Records", "All records", "Last six months"]
    kinds = ["", "", "", "n", "n", "picture"]
    if report.has_state is not None:
        heads.append("Last checked")
        kinds.append("")
    rows = [element("tr", *_overview_row(report, campus)) for campus in report.campuses]
    head = element(
        "tr",
        *(th(text, scope="col", class_=kind or None) for text, kind in zip(heads, kinds, strict=True)),
    )
    table = element(
        "table",
        element("caption", "Campuses", class_="hidden"),
        element("thead", head),
        element("tbody", *rows),
        class_="overview",
    )
    return div(table, class_="card scroll", role="region", aria_label="Campuses", tabindex="0")


def _overview_row(report: Report, campus: Campus) -> list[Html]:
    now, last = report.made_at, campus.last
    half_year = charts.weeks(campus.new, now - timedelta(days=7 * _SPARKLINE), now)
    return [
        th(element("a", campus.di_code, href=f"#{campus.di_code}"), scope="row"),
        td(_chip(campus), _detail(report, campus)),
        td(ago(last.at, now) if last else "–"),
        td(number(last.records) if last else "–", class_="n"),
        td(number(sum(each.records for each in campus.new)), class_="n"),
        td(charts.sparkline(half_year), class_="picture"),
        *([] if report.has_state is None else [td(_checked(report, campus), _overdue(report, campus))]),
    ]


def _chip(campus: Campus) -> Html:
    status = campus.status
    sign = span(_SIGNS[status], aria_hidden="true", class_="sign")
    return span(sign, str(status), class_=f"chip {status.name.lower()}")


def _detail(report: Report, campus: Campus) -> Html:
    if campus.error is not None:
        return span(" ", campus.error, class_="detail")
    if campus.pending_since is not None:
        return span(" for ", duration(report.made_at - campus.pending_since), class_="detail")
    return Html("")


def _checked(report: Report, campus: Campus) -> Html:
    """When College Board was last asked: the sign that a job without news is alive."""
    if not report.has_state:
        return span("not available", class_="quiet")
    if campus.checked_at is None:
        return span("not known", class_="quiet")
    return ago(campus.checked_at, report.made_at)


def _overdue(report: Report, campus: Campus) -> Html:
    if campus.next_poll_at is None or campus.next_poll_at >= report.made_at:
        return Html("")
    return span(" poll due ", ago(campus.next_poll_at, report.made_at), class_="detail")


def _next_poll(report: Report, campus: Campus) -> Html:
    if not report.has_state:
        return span("not available", class_="quiet")
    if campus.next_poll_at is None:
        return span("no watcher", class_="quiet")
    overdue = "due " if campus.next_poll_at < report.made_at else ""
    return join(overdue, ago(campus.next_poll_at, report.made_at))


def _campus(report: Report, campus: Campus) -> Html:
    title = campus.di_code
    return element(
        "section",
        div(
            element("h2", span("Campus ", class_="quiet"), campus.di_code, id=title),
            _chip(campus),
            _detail(report, campus),
            class_="head",
        ),
        element("dl", *(div(element("dt", name), element("dd", value)) for name, value in _facts(report, campus))),
        *(_deliveries(report, campus) if campus.new else []),
        *_scores(campus),
        class_="card",
        aria_labelledby=title,
    )


def _facts(report: Report, campus: Campus) -> list[tuple[str, str]]:
    now, last = report.made_at, campus.last
    facts: list[tuple[str, str]] = []
    if last is not None:
        kind = "" if last.download_type == "new" else f", a {last.download_type} file"
        facts.append(
            ("Last delivery", join(time(last.at), Html("<br>"), f"{plural(last.records, 'student record')}{kind}"))
        )
        recorded = time(last.recorded_at) if last.recorded_at is not None else "not recorded"
        facts.append(("Recorded", recorded))
    if campus.pending_since is not None:
        facts.append(("Pending since", join(time(campus.pending_since))))
    if campus.statuses:
        ordered = sorted(campus.statuses.items(), key=lambda item: -item[1])
        facts.append(("Its exam scores", ", ".join(f"{count:,} {status}" for status, count in ordered)))
    if campus.problems is not None:
        quarantined = f", {plural(campus.quarantined, 'line')} in quarantine" if campus.quarantined else ""
        facts.append(("Problems", f"{plural(campus.problems, 'problem')}{quarantined}" if campus.problems else "none"))
    if campus.set_aside:
        facts.append(("In quarantine", plural(campus.set_aside, "file")))
    for each in campus.hand_offs:
        records = "" if each.records is None else f", {plural(each.records, 'record')}"
        facts.append((f"Handed to {each.consumer}", join(ago(each.at, now), records)))
    if campus.loaded_at is not None:
        rows = "" if campus.loaded_rows is None else f", {plural(campus.loaded_rows, 'row')}"
        facts.append(("Loaded", join(ago(campus.loaded_at, now), rows)))
    if report.has_state is not None:
        facts.append(("Last checked", _checked(report, campus)))
        facts.append(("Last error", _error(report, campus)))
        facts.append(("Next poll", _next_poll(report, campus)))
    return facts


def _error(report: Report, campus: Campus) -> Html:
    if campus.error is None:
        return Html("none") if campus.has_status else span("not available", class_="quiet")
    when = [", ", ago(campus.error_at, report.made_at)] if campus.error_at is not None else []
    return join(element("code", campus.error), *when)


def _deliveries(report: Report, campus: Campus) -> list[Html]:
    bars = charts.weeks(campus.new, report.since, report.made_at)
    records = sum(each.records for each in campus.new)
    label = (
        f"Student records by week, campus {campus.di_code}: {plural(records, 'record')} in "
        f"{plural(len(campus.new), 'file')}. The table below has the numbers."
    )
    table = charts.months_table(bars, f"New reports of campus {campus.di_code} by month")
    return [
        element("h3", "New student records by week"),
        charts.deliveries_chart(bars, label),
        element("details", element("summary", "As a table"), table),
    ]


def _scores(campus: Campus) -> list[Html]:
    shown = {
        exam: {score: count for score, count in cells.items() if count is not None}
        for exam, cells in campus.scores.items()
    }
    shown = {exam: cells for exam, cells in shown.items() if len(cells) == len(charts.SCORES)}
    if not shown:
        return []
    alone = sorted((exam for exam in shown if exam != _OTHER), key=lambda exam: _title(exam, campus))
    added_up = sorted(_title(exam, campus) for exam in campus.scores if exam not in shown)
    rows = [_exam(_title(exam, campus), shown[exam]) for exam in alone]
    if _OTHER in shown:
        rows.append(_exam("All other exams" if alone else "All exams together", shown[_OTHER]))
    heads = [
        th("Exam", scope="col"),
        th("Share of each score", scope="col", class_="picture"),
        *map(_score_head, charts.SCORES),
    ]
    caption = [element("h3", "Scores")]
    if campus.scores_at is not None:
        caption += [p("Of the delivery of ", time(campus.scores_at, day(campus.scores_at)), ".", class_="quiet")]
    table = element(
        "table",
        element("caption", *caption),
        element("thead", element("tr", *heads, th("All", scope="col", class_="n"))),
        element("tbody", *rows),
        class_="scores",
    )
    note = f"In the sum: {', '.join(added_up)}." if added_up else ""
    region = div(table, class_="scroll", role="region", aria_label=f"Scores of campus {campus.di_code}", tabindex="0")
    return [region, *([p(note, class_="quiet note")] if note else [])]


def _score_head(score: str) -> Html:
    return th(span("", class_=f"swatch score-{score}", aria_hidden="true"), score, scope="col", class_="n")


def _exam(title: str, cells: Mapping[str, int]) -> Html:
    return element(
        "tr",
        th(title, scope="row"),
        td(charts.distribution(cells), class_="picture"),
        *(td(number(cells[score]), class_="n") for score in charts.SCORES),
        td(element("strong", number(sum(cells.values()))), class_="n"),
    )


def _title(exam: str, campus: Campus) -> str:
    """The name of an exam when the scores came, or its last name: a report repeats old exams. Else its code."""
    from airflow_provider_apscores.scorefile import EXAMS, exam_for

    year = campus.scores_at.year if campus.scores_at is not None else None
    found = exam_for(exam, year) or next((each for each in reversed(EXAMS) if each.code == exam), None)
    return found.title if found is not None else f"Exam {exam}"
