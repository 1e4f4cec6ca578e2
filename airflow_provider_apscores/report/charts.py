"""Pictures as inline SVG. Shapes stretch to the width of the page, so labels are HTML beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_apscores.report.elements import Html, day, element, number, plural
from airflow_provider_apscores.report.model import Landed

#: Scores as a reader expects them: the best first.
SCORES = ("5", "4", "3", "2", "1")

#: A year has 53 bars, one for each week.
_DAYS_IN_A_BAR = 7

#: Bars that the name of a month needs.
_LABEL = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """The deliveries of a week: its first day, their number and their student records."""

    first: datetime
    deliveries: int
    records: int


def weeks(deliveries: Sequence[Landed], since: datetime, until: datetime) -> list[Bar]:
    """Return the deliveries by week. The last week ends with *until*."""
    span = timedelta(days=_DAYS_IN_A_BAR)
    count = max(1, -(-(until - since) // span))
    first = until - span * count
    sums = [[0, 0] for _ in range(count)]
    for each in deliveries:
        place = (each.at - first) // span
        if 0 <= place <= count:
            # A delivery of this very moment belongs to the last week.
            week = sums[min(place, count - 1)]
            week[0] += 1
            week[1] += each.records
    return [Bar(first + span * at, landed, records) for at, (landed, records) in enumerate(sums)]


def deliveries_chart(bars: Sequence[Bar], label: str) -> Html:
    """Draw student records by week, with months below."""
    highest = max((bar.records for bar in bars), default=0) or 1
    shapes = []
    for at, bar in enumerate(bars):
        if bar.records:
            height = max(2.0, 100 * bar.records / highest)
            title = f"Week of {day(bar.first)}: {plural(bar.records, 'record')} in {_files(bar.deliveries)}"
            shapes.append(
                element(
                    "rect",
                    element("title", title),
                    class_="bar",
                    x=f"{at + 0.12:.2f}",
                    y=f"{100 - height:.1f}",
                    width="0.76",
                    height=f"{height:.1f}",
                )
            )
    lines = [element("line", x1="0", x2=len(bars), y1=y, y2=y, class_="grid") for y in ("0", "50", "100")]
    picture = element(
        "svg",
        *lines,
        *shapes,
        viewBox=f"0 0 {len(bars)} 100",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
    scale = element("div", element("span", number(highest)), element("span", "0"), class_="scale", aria_hidden="true")
    return element("div", scale, element("div", picture, _months(bars), class_="plot"), class_="chart")


def months_table(bars: Sequence[Bar], caption: str) -> Html:
    """The numbers of :func:`deliveries_chart` as a table, by month."""
    sums: dict[str, list[int]] = {}
    for bar in bars:
        month = sums.setdefault(f"{bar.first:%B %Y}", [0, 0])
        month[0] += bar.deliveries
        month[1] += bar.records
    rows = [
        element(
            "tr",
            element("th", month, scope="row"),
            element("td", number(deliveries)),
            element("td", number(records)),
        )
        for month, (deliveries, records) in sums.items()
        if deliveries
    ]
    heads = [element("th", head, scope="col") for head in ("Month", "Files", "Records")]
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
        class_="numbers",
    )


def sparkline(bars: Sequence[Bar]) -> Html:
    """Draw the same in the height of a line of text. It has no label: the row beside it has the numbers."""
    highest = max((bar.records for bar in bars), default=0) or 1
    shapes = [
        element("rect", class_="bar", x=at, y=f"{20 - height:.1f}", width="0.8", height=f"{height:.1f}")
        for at, bar in enumerate(bars)
        if bar.records and (height := max(1.5, 20 * bar.records / highest))
    ]
    base = element("line", x1="0", x2=len(bars), y1="20", y2="20", class_="grid")
    return element(
        "svg",
        base,
        *shapes,
        viewBox=f"0 0 {len(bars)} 20",
        preserveAspectRatio="none",
        class_="sparkline",
        aria_hidden="true",
        focusable="false",
    )


def distribution(counts: Mapping[str, int]) -> Html:
    """Draw the shares of the scores 5 to 1 as one bar. The table that it stands in has the numbers."""
    total = sum(counts.values()) or 1
    at, shapes = 0.0, ""
    for score in SCORES:
        width = 100 * counts[score] / total
        # A page has thousands of these: numbers need no escaping.
        shapes += f'<rect class="score-{score}" x="{at:.2f}" width="{width:.2f}" height="10"/>'
        at += width
    return element(
        "svg",
        Html(shapes),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="distribution",
        aria_hidden="true",
        focusable="false",
    )


def _months(bars: Sequence[Bar]) -> Html:
    """The names of the months, each below its first week. Narrow pages show every third."""
    labels: list[tuple[int, str]] = []
    for at, bar in enumerate(bars[: -_LABEL + 1]):
        if at == 0 or bar.first.month != bars[at - 1].first.month:
            if labels and at - labels[-1][0] < _LABEL:
                labels.pop()  # only a part of the first month is shown
            labels.append((at, f"{bar.first:%b}"))
    spans = [element("span", name, style=f"left:{100 * at / len(bars):.2f}%") for at, name in labels]
    return element("div", *spans, class_="months", aria_hidden="true")


def _files(count: int) -> str:
    return plural(count, "file")
