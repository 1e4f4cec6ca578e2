"""What counts now for the students of a sandbox, from the values of its reports alone: no file, no table, no Arrow.

AP IDs change between years. Here a person is who has this name, birth date and high school.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

Person = tuple[str, ...]


class CurrentScore(NamedTuple):
    """What counts of one exam: the score and the first irregularity code, empty for none, and whether it is gone."""

    score: str
    irregularity: str
    withdrawn: bool


def person(report: Mapping[str, str]) -> Person:
    """Who the student of a report is, whatever the AP ID."""
    return tuple(report[name] for name in ("college_code", "last_name", "first_name", "birth_date", "high_school_code"))


def people(reports: Iterable[Mapping[str, str]]) -> dict[str, Person]:
    """The person of each AP ID."""
    return {report["ap_id"]: person(report) for report in reports}


def current_scores(reports: Iterable[Mapping[str, str]]) -> dict[tuple[Person, str, str], CurrentScore]:
    """Each exam of each person, by year and code, after *reports* in the order in which they were issued."""
    scores: dict[tuple[Person, str, str], CurrentScore] = {}
    last_day: dict[Person, str] = {}
    for report in reports:
        who = person(report)
        if last_day.get(who) != report["report_date"]:
            # A report of a later day has the entire history: what it lacks is gone.
            scores |= {key: score._replace(withdrawn=True) for key, score in scores.items() if key[0] == who}
            last_day[who] = report["report_date"]
        for slot in range(1, 31):
            if code := report.get(f"exam_code_{slot:02d}"):
                score = report.get(f"exam_grade_{slot:02d}", "")
                irregularity = report.get(f"irregularity_1_{slot:02d}", "")
                scores[who, report[f"admin_year_{slot:02d}"], code] = CurrentScore(score, irregularity, False)
    return scores
