"""What another policy changes."""

from __future__ import annotations

import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scores.credit import award_credit, compare_credit, read_policy
from tests.scores.credit_cases import exam, table, write_policy

BEFORE = """
    rule,exam_code,score_min,award,credits
    BIO,20,3,BIOL 101,4
    ENG,36,3,ENGL 101,3
"""
AFTER = """
    rule,exam_code,score_min,award,credits
    BIO,20,4,BIOL 101,4
    ENG,36,3,ENGL 102,3
"""


def test_the_comparison_counts_what_changes_and_how(tmp_path):
    rows = table(
        [exam(each, "20", score) for each, score in zip("ABCD", (3, 3, 4, 2), strict=True)]
        + [exam("A", "36", 5), exam("B", "07", 5)]
    )
    results = [
        award_credit(rows, read_policy(write_policy(tmp_path, text, name)))
        for text, name in ((BEFORE, "before.csv"), (AFTER, "after.csv"))
    ]

    found = compare_credit(*results)

    assert (found.rows, found.changed, found.people) == (6, 3, 2)
    assert (found.credits_before, found.credits_after) == (15.0, 7.0)
    assert [(each.exam_code, each.before, each.after, each.rows) for each in found.changes] == [
        ("20", "award: BIOL 101 (4)", "below", 2),
        ("36", "award: ENGL 101 (3)", "award: ENGL 102 (3)", 1),
    ]
    assert compare_credit(results[0], results[0]).changed == 0


def test_results_of_different_scores_are_not_compared(tmp_path):
    policy = read_policy(write_policy(tmp_path, BEFORE))

    with pytest.raises(ConfigurationError, match="of different scores"):
        compare_credit(award_credit(table([exam("A", "20", 5)]), policy), award_credit(table([]), policy))
