"""The slots that repeat in a record, exams and awards: a row for each that is not wholly blank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.scorefile.columns.arrays import encoded, numbers
from airflow_provider_apscores.scorefile.columns.block import UNREADABLE, Slots
from airflow_provider_apscores.scorefile.columns.dates import FIRST_EXAMS, read_years
from airflow_provider_apscores.scorefile.columns.lookups import (
    BLANK_PAIR,
    NO_NUMBER,
    distinct,
    exam_table,
    irregularity_notes,
    irregularity_ranks,
    text_of,
    title_keys,
    two_digits,
)
from airflow_provider_apscores.scorefile.columns.report import ProblemReport
from airflow_provider_apscores.scorefile.columns.students import Students
from airflow_provider_apscores.scorefile.spec.codes import AWARDS, EFFECTS, IRREGULARITIES
from airflow_provider_apscores.scorefile.spec.tables import STATUSES

if TYPE_CHECKING:
    from airflow_provider_apscores.scorefile.columns.lookups import Pairs

_KNOWN_IRREGULARITIES = frozenset(each.code for each in IRREGULARITIES)


def exam_scores(exams: Slots, students: Students, problems: ProblemReport) -> dict[str, Any]:
    """The columns of ``exam_scores``."""
    import numpy as np
    import pyarrow as pa

    group, rows, slots = exams.group, exams.rows, exams.slots
    year_pair, code, letter = exams.pairs("admin_year"), exams.pairs("exam_code"), exams.letters("exam_grade")
    first, second = exams.pairs("irregularity_1"), exams.pairs("irregularity_2")
    year = _years(exams, "admin_year", year_pair, students, problems)
    scored = (letter >= ord("1")) & (letter <= ord("5"))
    bad_score = ~scored & (letter != 32) & (letter != UNREADABLE)
    problems.in_slots(group, "exam_grade", "bad_score", rows, slots, bad_score)
    incomplete = (code == BLANK_PAIR) | (year_pair == BLANK_PAIR)
    problems.in_slots(group, "exam_code", "incomplete_exam", rows, slots, incomplete)
    table, titles, parents = exam_table()
    exam = table.take(title_keys(code, year))
    problems.unknown_exams(rows, code, year, exam)
    irregularities = {"irregularity_1": distinct(first), "irregularity_2": distinct(second)}
    for name, found in irregularities.items():
        problems.unknown_pairs(name, rows, found, _KNOWN_IRREGULARITIES)
    return {
        **students.of_rows(rows),
        "position": numbers((slots + 1).astype(np.int8), None, pa.int8()),
        "admin_year": numbers(year, year > 0, pa.int16()),
        "exam_code": distinct(code).words(),
        "exam_title": encoded(exam, titles),
        "subscore_of": encoded(exam, parents),
        "score": numbers(letter.view(np.int8) - np.int8(48), scored, pa.int8()),
        "status": encoded(_status(scored, first, second), STATUSES),
        **{name: found.words() for name, found in irregularities.items()},
        "irregularity_notes": irregularity_notes(first, second),
        "suppression_flag": distinct(exams.pairs("suppression_flag")).words(),
        "class_section": distinct(exams.pairs("class_section")).words(),
        "report_date": students.take("report_date", rows),
    }


def awards(awarded: Slots, students: Students, problems: ProblemReport) -> dict[str, Any]:
    """The columns of ``awards``."""
    import numpy as np
    import pyarrow as pa

    kind = distinct(awarded.pairs("award_type"))
    year = _years(awarded, "award_year", awarded.pairs("award_year"), students, problems)
    problems.unknown_pairs("award_type", awarded.rows, kind, frozenset(AWARDS))
    return {
        **students.of_rows(awarded.rows),
        "position": numbers((awarded.slots + 1).astype(np.int8), None, pa.int8()),
        "award_type": kind.words(),
        "award_title": kind.words(lambda pair: AWARDS.get(text_of(pair) or "")),
        "award_year": numbers(year, year > 0, pa.int16()),
    }


def _status(scored: Any, first: Pairs, second: Pairs) -> Any:
    """Indices into the statuses: the stronger irregularity decides, else whether there is a score."""
    import numpy as np

    ranks = irregularity_ranks()
    rank = np.minimum(ranks.take(first), ranks.take(second))
    # "noted" is the weakest effect and leaves the score as it is.
    no_effect = np.where(scored, np.int8(STATUSES.index("reported")), np.int8(STATUSES.index("unknown")))
    return np.where(rank < EFFECTS.index("noted"), rank, no_effect)


def _years(filled: Slots, name: str, pairs: Pairs, students: Students, problems: ProblemReport) -> Any:
    """Four-digit years, 0 where there is none."""
    group, rows, slots = filled.group, filled.rows, filled.slots
    two = two_digits().take(pairs)
    bad = two == NO_NUMBER
    if bad.any():
        bad &= (pairs & 0xFF != UNREADABLE) & (pairs >> 8 != UNREADABLE)
    years = read_years(two, students.report.year.take(rows) + 1)
    early = (years > 0) & (years < FIRST_EXAMS)
    if early.any():
        bad |= early
        years[early] = 0
    problems.in_slots(group, name, "bad_year", rows, slots, bad)
    return years
