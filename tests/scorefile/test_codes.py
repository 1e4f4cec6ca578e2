"""The code tables against their sources."""

import csv
from pathlib import Path

import pytest

from airflow_provider_apscores.scorefile.spec import codes

DATA = Path(__file__).parent / "data"


def published(name):
    with open(DATA / name, newline="") as file:
        return list(csv.DictReader(file))


def test_exams_are_the_published_ones():
    assert [
        (e.code, e.title, str(e.first_year or ""), str(e.last_year or ""), e.subscore_of or "", e.source)
        for e in codes.EXAMS
    ] == [tuple(row.values()) for row in published("exams.csv")]


def test_irregularities_are_the_published_ones():
    ours = [(each.code, each.effect, each.detail) for each in codes.IRREGULARITIES]
    assert ours == [tuple(row.values()) for row in published("irregularities.csv")]
    assert {each.effect for each in codes.IRREGULARITIES} <= set(codes.EFFECTS)


def test_awards_are_the_published_ones():
    assert list(codes.AWARDS.items()) == [tuple(row.values()) for row in published("awards.csv")]


def test_race_and_ethnicity_are_the_published_ones():
    assert list(codes.RACE_ETHNICITY_RESPONSE) == [row["value"] for row in published("race_ethnicity_response.csv")]
    derived = [tuple(row.values()) for row in published("race_ethnicity_derived.csv")]
    assert list(codes.RACE_ETHNICITY_DERIVED.items()) == derived


def test_a_code_never_has_two_titles_in_one_year():
    for exam in codes.EXAMS:
        for year in range(1990, 2040):
            titles = [
                e.title
                for e in codes.EXAMS
                if e.code == exam.code and (e.first_year or year) <= year <= (e.last_year or year)
            ]
            assert len(titles) <= 1


@pytest.mark.parametrize(
    ("code", "year", "title"),
    [
        ("93", 2019, "World History"),
        ("93", 2020, "World History: Modern"),
        ("14", 2019, "Studio Art: Drawing"),
        ("15", 2020, "2-D Art and Design"),
        ("16", 2020, "3-D Art and Design"),
        ("66", 1999, "Calculus AB"),
        ("66", None, "Calculus AB"),
        ("93", None, None),
        ("65", 2023, None),
        ("33", 2011, None),
        ("00", 2025, None),
    ],
)
def test_a_title_depends_on_code_and_year(code, year, title):
    exam = codes.exam_for(code, year)
    assert (exam.title if exam else None) == title
