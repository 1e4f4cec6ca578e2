"""The Arrow result against the slow truth."""

import random

import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scores import current_state
from tests.scores.histories import random_history
from tests.scores.slow_truth import truth


def rows(table, *extra):
    """What identifies and decides, sorted."""
    return sorted(tuple(str(row[name]) for name in ("file_sha256", "record_number", *extra)) for row in table)


EXAM = ("position", "ap_id", "college_code", "admin_year", "exam_code", "score", "status", "withdrawn", "landed_at")


@pytest.mark.parametrize("seed", range(200))
def test_the_arrow_result_is_the_truth_in_any_order_and_with_repetitions(seed):
    history = random_history(seed)
    exams, students, awards = truth(history.kept, history.crosswalk)
    given = history.kept + random.Random(seed).choices(history.kept, k=2 * bool(history.kept))
    random.Random(seed).shuffle(given)

    state = current_state(given, crosswalk=history.crosswalk)

    assert rows(state.exam_scores.to_pylist(), *EXAM) == rows(exams, *EXAM)
    assert rows(state.students.to_pylist()) == rows(students)
    assert rows(state.awards.to_pylist(), "position") == rows(awards, "position")


def test_folders_without_tables_are_refused(tmp_path):
    """A path with a typing error would otherwise give an empty current state."""
    with pytest.raises(
        ConfigurationError, match=r"no Parquet tables\. Give the folder that APScoresParseOperator writes"
    ):
        current_state([tmp_path / "tabels", tmp_path])
