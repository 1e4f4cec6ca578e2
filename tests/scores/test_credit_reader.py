"""Policies as spreadsheets save them, and every defect with its line in one run."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scores.credit import Requirement, check_policy, read_entry_dates, read_policy
from tests.scores.credit_cases import write_policy

GOOD = """
    rule,exam_code,exam_year_from,entry_from,score_min,also_requires,award,credits,note
    US,07,2020,2023-08-01,4,57>=3; 34>=4,HIST 103 + HIST 104,6,naïve – text
    BIO,20,,,3,,BIOL 101,2.67,
"""


def rules_of(path):
    return {rule.name: rule for rule in read_policy(path).rules}


def test_every_column_is_read(tmp_path):
    us = rules_of(write_policy(tmp_path, GOOD))["US"]

    assert (us.exam_code, us.exam_year_from, us.entry_from, us.score_min) == ("07", 2020, date(2023, 8, 1), 4)
    assert us.also_requires == (Requirement("34", 4), Requirement("57", 3))
    assert (us.award, us.credits, us.exam_year_to, us.score_max) == ("HIST 103 + HIST 104", Decimal(6), None, 5)


@pytest.mark.parametrize("damage", [
    lambda text: text.encode("utf-8-sig"),
    lambda text: text.encode("utf-16"),
    lambda text: text.encode("cp1252"),
    lambda text: text.replace("\n", "\r\n").encode(),
    lambda text: "\n".join(f"{line},,," for line in text.splitlines()).encode() + b"\n,,,,,,,,,,,\n",
    lambda text: text.replace(",", "\t").encode("utf-16"),
    lambda text: text.replace(";", "#").replace(",", ";").replace("57>=3# 34>=4", '"57>=3; 34>=4"').encode(),
    lambda text: text.replace("07", "7").replace("2020", "2020.0").replace(",4,57", ",4.0,57").encode(),
    lambda text: text.replace("exam_code", " Exam Code ").replace("rule,", "Rule,").encode(),
    lambda text: text.replace(">=", " ≥ ").replace("HIST 103 + HIST 104", " HIST\u00a0103+HIST 104 ").encode(),
    lambda text: text.replace("2023-08-01", "8/1/2023").encode(),
])  # fmt: skip
def test_what_a_spreadsheet_saves_is_the_same_policy(damage, tmp_path):
    path = write_policy(tmp_path, GOOD)
    expected = {name: (rule.exam_code, rule.scope, rule.award, rule.credits) for name, rule in rules_of(path).items()}
    path.write_bytes(damage(path.read_text()))

    found = {name: (rule.exam_code, rule.scope, rule.award, rule.credits) for name, rule in rules_of(path).items()}

    assert found == expected


def test_a_date_that_begins_with_the_month_is_a_warning(tmp_path):
    checked = check_policy(write_policy(tmp_path, GOOD.replace("2023-08-01", "8/1/2023")))

    (warning,) = checked.warnings
    assert str(warning) == "line 2, entry_from: '8/1/2023' is read month first, as August 1, 2023. Write 2023-08-01."


def test_a_rule_without_a_lowest_score_is_a_warning_unless_a_person_decides(tmp_path):
    text = "rule,exam_code,score_min,award,review\nA,20,,B 1,\nB,25,1,B 2,\nC,28,,B 3,choice\nD,31,,B 4 | B 5,"

    (warning,) = check_policy(write_policy(tmp_path, text)).warnings

    assert str(warning) == "line 2, score_min: is blank: a score of 1 is enough. Write 1 if that is meant."


DEFECTS = """
    rule,exam_code,exam_year_from,exam_year_to,entry_from,entry_to,score_min,score_max,also_requires,award,credits,replaces,cap_group,cap_credits,review
    CODE,XX,,,,,,,,A 1,3,,,,
    UNKNOWN,98,,,,,,,,A 1,3,,,,
    YEARS,78,2015,,,,,,,A 1,3,,,,
    YEAR,20,20,,,,,,,A 1,3,,,,
    TURNED,25,2022,2020,,,,,,A 1,3,,,,
    DAY,28,,,4.1.2016,,,,,A 1,3,,,,
    DAYS,31,,,2022-01-01,2021-01-01,,,,A 1,3,,,,
    NO-DAY,32,,,2/30/2022,,,,,A 1,3,,,,
    SCORE,34,,,,,0,6,,A 1,3,,,,
    SCORES,35,,,,,5,4,,A 1,3,,,,
    OTHERS,80,,,,,,,82=4,A 1,3,,,,
    OWN,82,,,,,,,82>=4; 99>=3,A 1,3,,,,
    COURSES,36,,,,,,,,A 1 +,3,,,,
    COMMA,37,,,,,,,,A 1,"2,7",,,,
    MANY,40,,,,,,,,A 1,1e9,,,,
    NOTHING,43,,,,,,,,,,,,,
    AB,66,,,,,3,,,A 1,3,,,,
    AB-5,66,,,,,5,,,A 2,6,,,,
    GHOST,75,,,,,,,,A 1,3,NOWHERE,,,
    RING-1,83,,,,,,,,A 1,3,RING-2,,,
    RING-2,84,,,,,,,,A 1,3,RING-1,,,
    SELF,85,,,,,,,,A 1,3,SELF,,,
    CAP-1,14,2020,,,,,,,A 1,3,,art,6,
    CAP-2,15,2020,,,,,,,A 1,3,,art,8,
    NO-CAP,16,2020,,,,,,,A 1,3,,music,,
    NO-GROUP,87,,,,,,,,A 1,3,,,6,
    NO-CREDITS,89,,,,,,,,A 1,,,art,,
    AB,90,,,,,,,,A 1,3,,,,
    ,10,,,,,,,,A 1,3,,,,
    WIDE,13,,,,,,,,A 1,3,,,,,HIST 2
"""


def test_every_defect_is_named_with_its_line_in_one_run(tmp_path):
    checked = check_policy(write_policy(tmp_path, DEFECTS))

    assert checked.policy is None
    assert [str(each) for each in checked.defects] == [
        "line 2, exam_code: 'XX' is no exam code. Write two digits, such as 07.",
        "line 3, exam_code: there is no AP exam 98.",
        "line 4, exam_code: there was no AP exam 78 in these years, only up to 2014.",
        "line 5, exam_year_from: '20' is no year of four digits.",
        "line 6, exam_year_from: 2022 is above exam_year_to, 2020.",
        "line 7, entry_from: '4.1.2016' is no date. Write year, month and day, such as 2026-08-24.",
        "line 8, entry_from: 2022-01-01 is above entry_to, 2021-01-01.",
        "line 9, entry_from: '2/30/2022' is no date. Write year, month and day, such as 2026-08-24.",
        "line 10, score_max: '6' is no score. Scores are 1 to 5.",
        "line 10, score_min: '0' is no score. Scores are 1 to 5.",
        "line 11, score_min: 5 is above score_max, 4.",
        "line 12, also_requires: '82=4' is no list of exams. Write exam code, >= and the lowest score: 82>=4; 80>=4.",
        "line 13, also_requires: 82>=4 is the rule's own exam. Use score_min.",
        "line 13, also_requires: there is no AP exam 99.",
        "line 14, award: 'A 1 +' has a + or | without a course on both sides.",
        "line 15, credits: '2,7' is no number of credits. Write a number such as 3 or 2.67, with a point, at most 3 "
        "decimals.",
        "line 16, credits: '1e9' is no number of credits. Write a number such as 3 or 2.67, with a point, at most 3 "
        "decimals.",
        "line 17, award: award, credits and review are blank: the rule has no effect.",
        "line 19: the rule 'AB-5' overlaps with 'AB' of line 18: both cover some scores of exam 66. Narrow one "
        "of them, or let one replace the other.",
        "line 20, replaces: there is no rule 'NOWHERE'.",
        "line 21, replaces: 'RING-1' replaces itself through RING-2.",
        "line 22, replaces: 'RING-2' replaces itself through RING-1.",
        "line 23, replaces: 'SELF' replaces itself.",
        "line 25, cap_credits: the group 'art' has 6 on line 24. A group has one cap.",
        "line 26, cap_credits: no rule says how many credits the group 'music' gives.",
        "line 27, cap_group: cap_credits needs the name of its group here.",
        "line 28, credits: a rule of a cap group needs a number of credits.",
        "line 29, rule: 'AB' is on line 18 already. Each rule needs its own name.",
        "line 30, rule: is blank.",
        "line 31: 16 cells below 15 columns. Quote a cell that has the separator.",
    ]  # fmt: skip
    with pytest.raises(
        ConfigurationError, match=r"has 30 defects\. Nothing was evaluated\.\n  line 2, exam_code: 'XX'"
    ):
        read_policy(tmp_path / "policy.csv")


def test_rules_of_one_exam_may_overlap_if_one_replaces_the_other_through_a_third(tmp_path):
    text = "rule,exam_code,score_min,award,replaces\nA,20,5,B 3,B\nB,20,4,B 2,C\nC,20,3,B 1,"

    assert check_policy(write_policy(tmp_path, text)).defects == ()


def test_columns_that_are_unknown_or_there_twice_are_defects(tmp_path):
    checked = check_policy(write_policy(tmp_path, "rule,exam_code,score_mim,award,award,,x\nA,20,3,B 1,B 1,,"))

    assert [str(each).partition(" The")[0] for each in checked.defects] == [
        "line 1: column 6 has no name.",
        "line 1, award: the column is there twice.",
        "line 1, score_mim: unknown column.",
        "line 1, x: unknown column.",
    ]


def test_lines_count_those_inside_quoted_cells_and_blank_ones(tmp_path):
    path = tmp_path / "policy.csv"
    path.write_text('rule,exam_code,award,note\n\nA,20,B 1,"two\nlines"\n,,,\nB,XX,B 2,\nC,25,"B 3,\nD,YY,B 4\n')

    assert [str(each)[:18] for each in check_policy(path).defects] == [
        "line 6, exam_code:", "line 7: a quotatio", "line 8, exam_code:",
    ]  # fmt: skip


def test_a_defect_in_one_row_is_no_defect_of_others(tmp_path):
    text = 'rule,exam_code,award,credits,replaces,cap_group,cap_credits\nA,20,B 1,3 cr,,sum,6\nB,25,B 2,4,"A, C",sum,'

    assert [str(each).partition(". Write")[0] for each in check_policy(write_policy(tmp_path, text)).defects] == [
        "line 2, credits: '3 cr' is no number of credits",
        "line 3, replaces: there is no rule 'A, C'. Separate rules with semicolons.",
    ]


def test_a_policy_without_rules_is_a_defect(tmp_path):
    (defect,) = check_policy(write_policy(tmp_path, "rule,exam_code,award")).defects

    assert str(defect) == "line 1: there is no rule below the column names."


@pytest.mark.parametrize("content", [
    b"", b"\n\n", b"STUDENT,INVENTED,051408\n", b"PK\x03\x04workbook",
    b"AP ID,Last Name,First Name\n123,STUDENT,INVENTED\n", b"rule;note\nSTUDENT;1\n",
    b"ap_id,exam_code,rule,credits\nSTUDENT,20,STUDENT,STUDENT\n",
])  # fmt: skip
def test_a_file_that_is_no_policy_is_refused_without_a_word_of_it(content, tmp_path):
    """It may be a score file: its words are personal data."""
    path = tmp_path / "policy.csv"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        check_policy(path)

    assert "STUDENT" not in str(caught.value)
    assert "policy.csv" in str(caught.value)


@pytest.mark.parametrize("content", [
    b"\xef\xbb\xbfAP ID;Entry Date;Term\r\n AB12 ;2026-08-24;Fall\r\n;;\r\nAB12;2026-08-24;Fall\r\n",
    "entry_date\tap_id\n2026-08-24\tAB12\n".encode("utf-16"),
])  # fmt: skip
def test_entry_dates_are_read_as_a_spreadsheet_saves_them(content, tmp_path):
    path = tmp_path / "entries.csv"
    path.write_bytes(content)

    assert read_entry_dates(path) == {"AB12": date(2026, 8, 24)}


def test_entry_dates_that_can_not_be_read_are_named_by_line(tmp_path):
    path = tmp_path / "entries.csv"
    path.write_text("ap_id,entry_date\nA1,8/24/2026\nA2,20260824\nA3,2026-08-24\nA3,2025-08-24\n,2026-08-24\nA5,\n")

    with pytest.raises(ConfigurationError, match=r"on lines 2, 3, 5, 6, 7\. In a spreadsheet, give the dates"):
        read_entry_dates(path)
