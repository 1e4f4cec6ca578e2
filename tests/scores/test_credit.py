"""What each kind of rule does, and the evaluation against the slow truth."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scores.credit import DECISIONS, Requirement, Rule, award_credit, credit_counts
from airflow_provider_apscores.scores.credit.checks import Row, check_together
from airflow_provider_apscores.scores.credit.policy import policy_of
from tests.scores.credit_cases import exam, policy_in, results, table
from tests.scores.credit_truth import truth

WORLD = """
    rule,exam_code,exam_year_from,exam_year_to,score_min,award,credits
    WORLD,93,,2019,3,HIST 101 + HIST 102,6
    MODERN,93,2020,,4,HIST 102,3
"""


def test_the_administration_year_decides_what_exam_93_is_worth(tmp_path):
    found = results(
        [exam("A", "93", 3, 2019), exam("B", "93", 4, 2020), exam("C", "93", 3, 2020)],
        policy_in(tmp_path, WORLD),
        "decision", "award", "reason",
    )  # fmt: skip

    assert found["A", "93", 2019][:2] == ("award", "HIST 101 + HIST 102")
    assert found["B", "93", 2020] == (
        "award", "HIST 102", "Rule MODERN: exam 93 (World History: Modern), from 2020, score 4 to 5.",
    )  # fmt: skip
    assert found["C", "93", 2020] == ("below", None, "Rule MODERN asks for a score of 4 or more.")


def test_both_exams_of_code_93_are_different_exams(tmp_path):
    found = results([exam("A", "93", 5, 2019), exam("A", "93", 5, 2020)], policy_in(tmp_path, WORLD))

    assert found["A", "93", 2019] == ("award", "WORLD", 6)
    assert found["A", "93", 2020] == ("award", "MODERN", 3)


def test_an_exam_that_only_got_another_title_is_the_same_exam(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,exam_year_from,exam_year_to,score_min,award,credits\n"
                       "STUDIO,14,,2019,3,ART 110,3\nDRAWING,14,2020,,3,ART 110,3")  # fmt: skip

    found = results([exam("A", "14", 5, 2019), exam("A", "14", 4, 2020)], policy)

    assert found["A", "14", 2019] == ("award", "STUDIO", 3)
    assert found["A", "14", 2020] == ("replaced", "DRAWING", None)


def test_one_rule_over_both_awards_once(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,award,credits\n WORLD,93,HIST 101,3")

    found = results([exam("A", "93", 4, 2019), exam("A", "93", 5, 2020)], policy, "decision", "reason")

    assert found["A", "93", 2020][0] == "award"
    assert found["A", "93", 2019] == ("replaced", "Rule WORLD awards once, for another score.")


def test_a_retaken_exam_awards_once_across_rules_and_ap_ids(tmp_path):
    policy = policy_in(
        tmp_path,
        """
        rule,exam_code,score_min,score_max,award,credits
        LOW,36,3,3,ENGL 101,3
        HIGH,36,4,,ENGL 101 + ENGL 102,6
        """,
    )

    found = results(
        [exam("A", "36", 3, 2023, person_id="P"), exam("B", "36", 5, 2024, person_id="P"), exam("C", "36", 3, 2023)],
        policy,
        "decision", "credits", "reason",
    )  # fmt: skip

    assert found["A", "36", 2023] == ("replaced", None, "Another score of the same exam counts.")
    assert found["B", "36", 2024][:2] == ("award", 6)
    assert found["C", "36", 2023][:2] == ("award", 3)


def test_scores_that_may_change_are_not_final_and_stay_in_the_result(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,score_min,award,credits\n BIO,20,3,BIOL 1,4")
    rows = [
        exam("A", "20", None, status="delayed"),
        exam("B", "20", 4, status="projected"),
        exam("C", "20", None, status="canceled"),
        exam("D", "20", 5, withdrawn=True),
        exam("E", "07", 5),
        exam("F", "20", None, status="reported"),
    ]

    found = results(rows, policy, "decision", "reason")
    accepting = results(rows, policy, "decision", accept=("reported", "projected"))

    assert found == {
        ("A", "20", 2024): ("not_final", "The status is delayed."),
        ("B", "20", 2024): ("not_final", "The status is projected."),
        ("C", "20", 2024): ("not_final", "The status is canceled."),
        ("D", "20", 2024): ("withdrawn", "The latest report no longer has this exam."),
        ("E", "07", 2024): ("no_rule", "No rule covers this exam, year, score and entry date."),
        ("F", "20", 2024): ("not_final", "There is no score."),
    }
    assert accepting["B", "20", 2024] == ("award",)


def test_a_withdrawn_or_canceled_exam_does_not_meet_a_requirement(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,also_requires,award,credits\n BOTH,80,82>=4,PHYS 1 + PHYS 2,8")
    others = {
        "A": exam("A", "82", 4),
        "B": exam("B", "82", 4, withdrawn=True),
        "C": exam("C", "82", None, status="canceled"),
        "D": exam("D", "82", 3),
    }

    found = results([*others.values(), *(exam(each, "80", 5) for each in others)], policy, "decision", "reason")

    assert found["A", "80", 2024][0] == "award"
    for each in "BCD":
        assert found[each, "80", 2024] == ("no_rule", "Rule BOTH also requires 82>=4.")


def test_giving_way_is_passed_on(tmp_path):
    policy = policy_in(
        tmp_path,
        """
        rule,exam_code,award,credits,replaces
        BC,68,MATH 2,8,AB
        AB,66,MATH 1,4,PRE
        PRE,65,MATH 0,3,
        """,
    )

    found = results(
        [exam("A", "68", 5), exam("A", "65", 5), exam("B", "66", 5), exam("B", "65", 5)], policy, "decision"
    )

    assert found["A", "65", 2024] == found["B", "65", 2024] == ("replaced",)


def test_a_choice_or_a_word_in_review_needs_a_person_and_gives_no_credits(tmp_path):
    policy = policy_in(
        tmp_path,
        """
        rule,exam_code,award,credits,review
        CHOICE,43,HIST 21B|HIST 21C,4,
        PORTFOLIO,14,ART 1,3,portfolio
        """,
    )

    found = results([exam("A", "43", 5), exam("A", "14", 5)], policy, "decision", "award", "credits", "reason")

    assert found["A", "43", 2024] == (
        "review", "HIST 21B | HIST 21C", None, "Rule CHOICE asks for a decision by a person: choice.",
    )  # fmt: skip
    assert found["A", "14", 2024][0::3] == ("review", "Rule PORTFOLIO asks for a decision by a person: portfolio.")


def test_the_day_of_entry_chooses_the_catalog(tmp_path):
    policy = policy_in(
        tmp_path,
        """
        rule,exam_code,entry_from,entry_to,award,credits
        OLD,20,,2023-07-31,BIOL 1,4
        NEW,20,2023-08-01,,BIOL 1 + BIOL 2,8
        """,
    )
    days = {"A": date(2023, 7, 31), "B": date(2023, 8, 1)}

    found = results(
        [exam(each, "20", 4, year) for each, year in zip("ABCE", (2020, 2021, 2022, 2024), strict=True)],
        policy,
        "decision", "rule", "reason",
        entry_dates=days,
    )  # fmt: skip

    assert found["A", "20", 2020][:2] == ("award", "OLD")
    assert found["B", "20", 2021][:2] == ("award", "NEW")
    undated = ("review", None, "The rules for this exam depend on the entry date, and there is none.")
    assert found["C", "20", 2022] == found["E", "20", 2024] == undated


def test_the_entry_date_of_another_ap_id_of_the_person_counts(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,entry_from,award,credits\n NEW,20,2023-08-01,BIOL 1,4")

    found = results(
        [exam("A", "20", 4, person_id="P"), exam("B", "07", 4, person_id="P")],
        policy,
        "decision",
        entry_dates={"B": date(2024, 8, 1)},
    )

    assert found["A", "20", 2024] == ("award",)


def test_a_cap_gives_what_is_left_and_requirements_without_credit_fit_always(tmp_path):
    policy = policy_in(
        tmp_path,
        """
        rule,exam_code,award,credits,cap_group,cap_credits
        A,14,ART 1,4,art,6
        B,15,ART 2,4,art,
        C,16,ART 3,4,art,
        D,13,requirement,0,art,
        """,
    )

    found = results([exam("X", code, 4) for code in ("14", "15", "16", "13")], policy, "decision", "credits", "reason")

    assert found["X", "14", 2024][:2] == ("award", 4)
    assert found["X", "15", 2024] == ("capped", 2, "All exams of the group art together give at most 6 credits.")
    assert found["X", "16", 2024][:2] == ("capped", 0)
    assert found["X", "13", 2024][:2] == ("award", 0)


def test_caps_of_decimal_credits_are_exact(tmp_path):
    policy = policy_in(
        tmp_path,
        """
        rule,exam_code,award,credits,cap_group,cap_credits
        A,14,ART 1,2.7,art,5.4
        B,15,ART 2,2.7,art,
        """,
    )

    found = results([exam("X", "14", 4), exam("X", "15", 4)], policy, "decision", "credits")

    assert set(found.values()) == {("award", 2.7)}


def test_campuses_are_evaluated_apart(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,award,credits\n BIO,20,BIOL 1,4")

    found = award_credit(table([exam("A", "20", 4), exam("A", "20", 4, college_code="000417")]), policy)

    assert credit_counts(found)["award"] == 2


def test_nothing_to_evaluate_gives_an_empty_table(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,award,credits\n BIO,20,BIOL 1,4")

    assert award_credit(table([]), policy).num_rows == 0


def test_only_the_current_state_is_evaluated(tmp_path):
    policy = policy_in(tmp_path, "rule,exam_code,award,credits\n BIO,20,BIOL 1,4")

    with pytest.raises(ConfigurationError, match=r"lack person_id, withdrawn\. Give the exam scores of the current"):
        award_credit(table([exam("A", "20", 4)]).drop_columns(["withdrawn", "person_id"]), policy)
    with pytest.raises(ConfigurationError, match="is there twice"):
        award_credit(table([exam("A", "20", 4), exam("A", "20", 5)]), policy)
    with pytest.raises(ConfigurationError, match="accept must be a list of some of"):
        award_credit(table([]), policy, accept=("final",))


CODES = ("93", "14", "66", "80", "82")
DAYS = [date(2022, 8, 1), date(2023, 8, 1), date(2024, 8, 1)]


@pytest.mark.parametrize("seed", range(300))
def test_the_evaluation_is_the_truth_in_any_order(seed):
    chance = random.Random(seed)
    rules = random_rules(chance)
    rows = random_scores(chance)
    dates = {each: chance.choice(DAYS) for each in "ABCDEFGH" if chance.random() < 0.7}
    accept = chance.choice([("reported",), ("reported", "projected")])
    expected = truth(rows, rules, dates, accept)
    chance.shuffle(rows)

    found = award_credit(table(rows), policy_of(rules), entry_dates=dates, accept=accept).to_pylist()

    shown = {
        (row["ap_id"], row["exam_code"], row["admin_year"]): (row["decision"], row["rule"], row["credits"])
        for row in found
    }
    if any(name == "below" for name, _, _ in expected.values()):
        shown = {key: value if expected[key][0] != "below" else (value[0], None, None) for key, value in shown.items()}
    assert shown == expected
    assert {row["decision"] for row in found} <= set(DECISIONS)


def random_rules(chance):
    """Rules without a defect."""
    rules: list[Rule] = []
    names = [f"R{number:02}" for number in range(14)]
    chance.shuffle(names)
    for name in names:
        low, high = sorted(chance.choices(range(1, 6), k=2))
        years = chance.choice([(None, None), (None, 2019), (2020, None), (2023, 2024)])
        entry = chance.choice([(None, None), (None, None), (None, date(2023, 7, 31)), (date(2023, 8, 1), None)])
        code = chance.choice(CODES)
        other = chance.choice([each for each in CODES if each != code])
        rule = Rule(
            name, code, *years, *entry, low, high,
            also_requires=(Requirement(other, chance.randint(2, 5)),) if chance.random() < 0.3 else (),
            award=chance.choice(["M 1", "M 1 + M 2", "M 1 | M 2"]) if chance.random() < 0.9 else "",
            credits=Decimal(chance.choice(["0", "2.7", "3", "4"])),
            replaces=tuple(sorted(each.name for each in chance.sample(rules, min(len(rules), chance.randint(0, 3))))),
            cap_group=chance.choice(["", "g", "h"]),
            review=chance.choice(["", "", "", "major"]),
        )  # fmt: skip
        cap = {"": None, "g": Decimal("6"), "h": Decimal("5.4")}[rule.cap_group]
        candidate = [*rules, replace(rule, cap_credits=cap)]
        if not check_together([Row(line, each) for line, each in enumerate(candidate)])[0]:
            rules = candidate
    return rules


def random_scores(chance):
    rows = {}
    for ap_id in "ABCDEFGH":
        for _ in range(chance.randint(1, 7)):
            code, year = chance.choice(CODES), chance.choice([2019, 2020, 2022, 2023, 2024])
            status = chance.choice(["reported"] * 8 + ["projected", "delayed"])
            rows[ap_id, code, year] = exam(
                ap_id, code, None if status == "delayed" else chance.randint(1, 5), year, status=status,
                withdrawn=chance.random() < 0.05, person_id={"A": "P", "B": "P"}.get(ap_id),
            )  # fmt: skip
    return list(rows.values())
