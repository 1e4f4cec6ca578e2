"""From score to credit: an institution's policy as data, applied to the scores that count now.

* ``policy.py`` says what a rule is, and what rules mean together.
* ``reader.py`` reads a policy from a CSV; ``checks.py`` looks at its rules together. Both name every defect.
* ``spreadsheet.py`` reads what spreadsheets save.
* ``scores.py`` turns exam scores into numbers, ``evaluation.py`` decides, and ``reasons.py`` says why.
* ``comparison.py`` counts what another policy would change.
* ``files.py`` reads scores and entry dates, and writes the result.
"""

from airflow_provider_apscores.scores.credit.checks import Finding
from airflow_provider_apscores.scores.credit.comparison import (
    Change,
    CreditComparison,
    compare_credit,
    credit_counts,
    total_credits,
)
from airflow_provider_apscores.scores.credit.evaluation import award_credit
from airflow_provider_apscores.scores.credit.files import (
    count_dated,
    read_current_scores,
    read_entry_dates,
    write_credit,
)
from airflow_provider_apscores.scores.credit.policy import CREDIT, DECISIONS, Policy, Requirement, Rule
from airflow_provider_apscores.scores.credit.reader import CheckedPolicy, check_policy, read_policy

__all__ = [
    "CREDIT",
    "DECISIONS",
    "Change",
    "CheckedPolicy",
    "CreditComparison",
    "Finding",
    "Policy",
    "Requirement",
    "Rule",
    "award_credit",
    "check_policy",
    "compare_credit",
    "count_dated",
    "credit_counts",
    "read_current_scores",
    "read_entry_dates",
    "read_policy",
    "total_credits",
    "write_credit",
]
