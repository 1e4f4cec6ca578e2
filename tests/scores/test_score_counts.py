"""Counts of exam scores, and that no published total tells a suppressed count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_apscores.scores.score_counts import LEAST, OTHER, ExamScoreTally, suppress


def cells(*counts: int) -> dict[str, int]:
    return {str(score): count for score, count in enumerate(counts, 1)}


SUPPRESSED = dict.fromkeys("12345")
LARGE = cells(20, 30, 40, 50, 60)


def test_an_exam_with_large_counts_is_published_by_itself():
    assert suppress({"07": LARGE}) == {"07": LARGE}


@pytest.mark.parametrize("small", [0, 1, LEAST - 1])
def test_one_small_count_suppresses_all_counts_of_the_exam(small: int):
    counts = {"07": cells(small, 30, 40, 50, 60), "20": cells(9, 9, 9, 9, 9)}

    assert suppress(counts).get("07", SUPPRESSED) == SUPPRESSED


def test_the_suppressed_exams_are_published_as_one_sum():
    two = {"07": cells(9, 30, 40, 50, 60), "20": cells(5, 6, 7, 8, 9)}

    assert suppress({**two, "66": LARGE}) == {
        "07": SUPPRESSED,
        "20": SUPPRESSED,
        "66": LARGE,
        OTHER: cells(14, 36, 47, 58, 69),
    }


def test_the_smallest_large_exam_joins_a_single_suppressed_exam():
    """
    Otherwise the number of all rows, less the published counts, is the number of rows of the suppressed exam.
    """
    counts = {"07": cells(1, 0, 0, 0, 0), "66": LARGE, "68": cells(99, 99, 99, 99, 99)}

    assert suppress(counts) == {
        "07": SUPPRESSED,
        "66": SUPPRESSED,
        "68": counts["68"],
        OTHER: cells(21, 30, 40, 50, 60),
    }


def test_nothing_is_published_of_a_small_delivery():
    assert suppress({"07": cells(1, 2, 3, 4, 5), "20": cells(5, 4, 3, 2, 1)}) == {}
    assert suppress({"07": cells(9, 30, 40, 50, 60)}) == {}
    assert suppress({}) == {}


@pytest.mark.parametrize(("number", "width", "up_to"), [(1, 3, 9), (2, 2, 12), (2, 3, 10), (3, 2, 10)])
def test_no_suppressed_count_is_determined_by_all_that_is_published(number: int, width: int, up_to: int):
    """
    An attacker knows the rule, what it published, and the exact number of all exam scores. All inputs that explain this
    knowledge are compared: a count that is the same in all of them is known.
    """
    exams, scores = ("07", "20", "66", "68")[:number], ("1", "2", "3")[:width]
    explanations: dict[Any, list[dict[str, dict[str, int]]]] = defaultdict(list)
    for values in compositions(number * width, up_to=up_to):
        rows = [values[at : at + width] for at in range(0, number * width, width)]
        if all(map(any, rows)):
            counts = {exam: dict(zip(scores, row, strict=True)) for exam, row in zip(exams, rows, strict=True)}
            explanations[repr(suppress(counts, least=2)), sum(values)].append(counts)

    suppressed = 0
    for (published, total), possible in explanations.items():
        for exam, score in product(exams, scores):
            if suppress(possible[0], least=2).get(exam, {}).get(score) is None:
                suppressed += 1
                known = {each[exam][score] for each in possible}
                assert len(known) > 1, f"{exam}, score {score}, is {known} from {published} and the total {total}"
    assert suppressed > 20


def compositions(parts: int, *, up_to: int) -> Iterator[tuple[int, ...]]:
    """Every way to choose *parts* numbers from 0 with a sum of at most *up_to*."""
    if not parts:
        yield ()
        return
    for first in range(up_to + 1):
        for rest in compositions(parts - 1, up_to=up_to - first):
            yield (first, *rest)


def exam_scores(*rows: tuple[str | None, str | None, int | None, str]) -> pa.Table:
    names = ["exam_code", "subscore_of", "score", "status"]
    kinds = [pa.string(), pa.string(), pa.int8(), pa.string()]
    columns = zip(*rows, strict=True)
    titles = pa.array([None if code in (None, "98") else "An exam" for code, *_ in rows], pa.string())
    return pa.table(
        [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)], names=names
    ).append_column("exam_title", titles)


def test_scores_count_if_they_are_reported_or_projected_and_the_exam_is_known():
    tally = ExamScoreTally()
    tally.add(
        exam_scores(
            ("66", None, 5, "reported"),
            ("66", None, 5, "projected"),
            ("66", None, 4, "canceled"),
            ("66", None, None, "delayed"),
            ("69", "68", 3, "reported"),
            (None, None, 2, "reported"),
            ("98", None, 2, "reported"),
        )
    )

    assert tally.scores == {"66": cells(0, 0, 0, 0, 2)}


def test_a_tally_adds_up_batches_and_counts_statuses_of_all_rows():
    tally = ExamScoreTally()
    for row in [("66", None, 5, "reported"), ("69", "68", 3, "reported"), ("66", None, None, "delayed")]:
        tally.add(exam_scores(row).to_batches()[0])

    assert tally.scores == {"66": cells(0, 0, 0, 0, 1)}
    assert tally.statuses == {"reported": 2, "delayed": 1}
