"""The page about deliveries: what it says, and that it is safe, whole and readable without a picture."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from airflow_provider_apscores.report import Campus, HandOff, Landed, Report, Status, render
from airflow_provider_apscores.report.elements import element
from airflow_provider_apscores.scores.score_counts import suppress

NOW = datetime(2026, 7, 9, 6, 12, tzinfo=UTC)
LAST = NOW - timedelta(hours=3)
LARGE = {"1": 11, "2": 22, "3": 33, "4": 44, "5": 55}
CAMPUS = Campus(
    "0901",
    (Landed(NOW - timedelta(days=100), 7, recorded_at=NOW - timedelta(days=100)), Landed(LAST, 35, recorded_at=LAST)),
    problems=0,
    statuses={"reported": 210, "delayed": 3},
    scores=suppress({"66": LARGE, "07": dict.fromkeys("12345", 9), "20": dict.fromkeys("12345", 8)}),
    scores_at=LAST,
    hand_offs=(HandOff("banner", LAST, 35),),
    loaded_at=LAST,
    loaded_rows=412,
    checked_at=NOW - timedelta(minutes=30),
    next_poll_at=NOW + timedelta(minutes=30),
)


def report(*campuses: Campus, has_state: bool = True) -> Report:
    return Report(NOW, NOW - timedelta(days=365), campuses, has_state)


class Page(HTMLParser):
    """The text of a page and its elements. It fails if an element is not closed."""

    VOID = ("meta",)

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID and tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["title"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def text(*campuses: Campus, has_state: bool = True) -> str:
    return Page(render(report(*campuses, has_state=has_state))).text


def test_the_page_says_what_is_known_about_a_campus():
    shown = text(CAMPUS)

    for words in (
        "Student records 42 in 2 new files",
        "Campus 0901 ✓ Recorded",
        "Last delivery 9 Jul 2026, 03:12 UTC 35 student records",
        "210 reported, 3 delayed",
        "Problems none",
        "Handed to banner 3 hours ago , 35 records",
        "Loaded 3 hours ago , 412 rows",
        "Last checked 30 minutes ago",
        "Last error none",
        "Next poll in 30 minutes",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("campus", "words"),
    [
        (Campus("0901"), "– No delivery"),
        (Campus("0901"), "Last checked not known"),
        (Campus("0901", checked_at=LAST), "Last checked 3 hours ago"),
        (replace(CAMPUS, deliveries=(Landed(LAST, 9, "full"),)), "↓ Landed"),
        (replace(CAMPUS, pending_since=NOW - timedelta(hours=5)), "… Pending for 5 hours"),
        (replace(CAMPUS, error="LoginRefused", error_at=LAST), "! Failed LoginRefused"),
        (replace(CAMPUS, next_poll_at=LAST), "Next poll due 3 hours ago"),
        (replace(CAMPUS, next_poll_at=LAST), "30 minutes ago poll due 3 hours ago"),
        (Campus("0901", set_aside=2), "In quarantine 2 files"),
        (replace(CAMPUS, next_poll_at=None), "no watcher"),
        (replace(CAMPUS, problems=4, quarantined=1), "4 problems, 1 line in quarantine"),
    ],
)
def test_a_status_is_said_in_words(campus: Campus, words: str):
    assert words in text(campus)


@pytest.mark.parametrize(
    ("change", "attention"),
    [
        ({}, False),
        ({"pending_since": NOW - timedelta(hours=23)}, False),
        ({"pending_since": NOW - timedelta(hours=25)}, True),
        ({"next_poll_at": NOW - timedelta(hours=23)}, False),
        ({"next_poll_at": NOW - timedelta(hours=25)}, True),
        ({"error": "LoginRefused"}, True),
        ({"set_aside": 1}, True),
        ({"quarantined": 1}, True),
    ],
)
def test_a_campus_needs_attention_after_an_error_a_late_record_or_damage(change: dict, attention: bool):
    campus = replace(CAMPUS, **change)

    assert report(campus).needs_attention(campus) is attention


def test_errors_and_polls_are_not_available_before_airflow_3_3():
    shown = text(replace(CAMPUS, has_status=False), has_state=False)

    assert "Last error not available" in shown
    assert "Next poll not available" in shown


def test_a_full_file_is_a_delivery_but_its_records_are_not_counted_again():
    full = replace(CAMPUS, deliveries=(*CAMPUS.deliveries, Landed(NOW, 999, "full")))

    assert full.status is Status.LANDED
    assert "Student records 42 in 2 new files" in text(full)
    assert "999 student records, a full file" in text(full)


def test_scores_stand_as_numbers_beside_the_picture_and_small_counts_do_not():
    shown = text(CAMPUS)

    assert "Calculus AB 55 44 33 22 11 165" in without_titles(CAMPUS)
    assert "All other exams 17 17 17 17 17 85" in without_titles(CAMPUS)
    assert "In the sum: Biology, United States History." in shown


def without_titles(campus: Campus) -> str:
    """The text of a page without the tooltips of its pictures."""
    return Page(re.sub(r"<title>[^<]*</title>", "", render(report(campus)))).text


def test_the_scores_are_one_row_or_none_if_the_counts_are_small():
    only = replace(CAMPUS, scores=suppress({"07": dict.fromkeys("12345", 12), "20": dict.fromkeys("12345", 9)}))
    nothing = replace(CAMPUS, scores=suppress({"20": dict.fromkeys("12345", 9)}))

    assert "All exams together 21 21 21 21 21 105" in without_titles(only)
    assert "Share of each score" not in text(nothing)


def test_an_exam_has_the_name_that_it_had_in_its_year():
    drawing = replace(CAMPUS, scores={"14": LARGE, "78": LARGE, "98": LARGE})

    assert "Drawing 55" in without_titles(drawing)
    assert "Physics B 55" in without_titles(drawing)  # its last exam was in 2014
    assert "Exam 98" in text(drawing)
    assert "Studio Art: Drawing" in text(replace(drawing, scores_at=NOW.replace(year=2018)))


def test_text_is_escaped():
    evil = '<script>alert("1")</script>&'
    campus = replace(CAMPUS, hand_offs=(HandOff(evil, LAST),), error=evil, statuses={evil: 1})

    html = render(report(campus))

    assert "<script" not in html
    assert f"Handed to {evil}" in Page(html).text


def test_attributes_are_escaped():
    assert element("p", "a", title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;">a</p>'


def test_the_page_loads_nothing_and_runs_nothing():
    page = Page(render(report(CAMPUS)))

    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    addresses = [
        value for _, attributes in page.elements for key, value in attributes.items() if key in ("href", "src")
    ]
    assert all(address and address.startswith("#") for address in addresses)
    assert not re.search(r"url\(|@import|https?://", render(report(CAMPUS)))


def test_tables_have_captions_and_heads_and_pictures_have_labels():
    page = Page(render(report(CAMPUS)))

    names = [name for name, _ in page.elements]
    assert names.count("table") == names.count("caption") == 3
    assert all("scope" in attributes for name, attributes in page.elements if name == "th")
    assert all(
        "aria-label" in attributes or attributes.get("aria-hidden") == "true"
        for name, attributes in page.elements
        if name == "svg"
    )
    assert ("html", {"lang": "en"}) in page.elements
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_picture_of_deliveries_has_each_record_once():
    moments = [NOW - timedelta(days=364, hours=23), NOW - timedelta(days=7), NOW - timedelta(days=1), NOW]
    campus = Campus("0901", tuple(Landed(moment, 10) for moment in moments))

    html = render(report(campus))

    assert [int(count) for count in re.findall(r"Week of [^:]*: (\d+) records", html)] == [10, 30]
    assert "40 records in 4 files" in html


def test_a_page_without_campuses_says_what_to_do():
    assert "A campus appears here after its first download" in text()
