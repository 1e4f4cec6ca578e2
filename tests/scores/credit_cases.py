"""Exam scores and policies for tests of credit: short to write, in any order."""

from __future__ import annotations

import random
from datetime import date

import pyarrow as pa

from airflow_provider_apscores.scores.credit import award_credit, check_policy

COLLEGE = "004866"
SCHEMA = pa.schema(
    [
        ("ap_id", pa.string()), ("college_code", pa.string()), ("admin_year", pa.int16()), ("exam_code", pa.string()),
        ("score", pa.int8()), ("status", pa.string()), ("person_id", pa.string()), ("withdrawn", pa.bool_()),
    ]
)  # fmt: skip


def exam(ap_id, exam_code, score, year=2024, **other):
    """A row of the current state."""
    row = {
        "ap_id": ap_id, "college_code": COLLEGE, "admin_year": year, "exam_code": exam_code, "score": score,
        "status": "reported" if score else "delayed", "person_id": None, "withdrawn": False,
    }  # fmt: skip
    return row | other


def table(rows):
    return pa.Table.from_pylist(list(rows), SCHEMA)


def write_policy(folder, text, name="policy.csv"):
    """Write a policy; each line of *text* without its indentation."""
    path = folder / name
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n")
    return path


def policy_in(folder, text):
    """The policy, which has no defects."""
    checked = check_policy(write_policy(folder, text))
    assert checked.defects == ()
    return checked.policy


def results(rows, policy, *names, **arguments):
    """Some columns of the result by (ap_id, exam_code, year), for scores in a random order."""
    rows = list(rows)
    random.Random(len(rows)).shuffle(rows)
    found = award_credit(table(rows), policy, **arguments).to_pylist()
    names = names or ("decision", "rule", "credits")
    return {(row["ap_id"], row["exam_code"], row["admin_year"]): tuple(row[name] for name in names) for row in found}


def day(text):
    return date.fromisoformat(text) if text else None
