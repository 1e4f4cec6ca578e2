"""Apply a credit policy of 200 rules to 1,000,000 current exam scores.

python benchmarks/credit.py [SCORES]

Prints seconds of the processor and of the clock, and the peak memory of the process.
"""

import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_apscores.scorefile import EXAMS
from airflow_provider_apscores.scores.credit import (
    Requirement,
    Rule,
    award_credit,
    credit_counts,
    read_current_scores,
    read_entry_dates,
    write_credit,
)
from airflow_provider_apscores.scores.credit.policy import policy_of

CODES = sorted({exam.code for exam in EXAMS})
ROUNDS = 3


def scores(count):
    """Invented current exam scores: about three for each student."""
    chance = np.random.default_rng(19)
    years = np.arange(2015, 2027)
    combinations = len(CODES) * len(years)
    students = count // 3
    drawn = np.sort(chance.choice(students * combinations, count, replace=False, shuffle=False))
    student, rest = np.divmod(drawn, combinations)
    exam, year = np.divmod(rest, len(years))
    status = chance.choice(3, count, p=[0.95, 0.03, 0.02]).astype(np.int32)
    ids = pa.array(np.char.mod("AP%08d", np.arange(students)))
    table = pa.table(
        {
            "ap_id": ids.take(pa.array(student)),
            "college_code": pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), ["004866"]),
            "admin_year": pa.array(years[year].astype(np.int16)),
            "exam_code": pa.DictionaryArray.from_arrays(exam.astype(np.int32), CODES),
            "score": pa.array(chance.integers(1, 6, count).astype(np.int8), mask=status > 0),
            "status": pa.DictionaryArray.from_arrays(status, ["reported", "delayed", "canceled"]),
            "person_id": pa.nulls(count, pa.string()),
            "withdrawn": pa.array(chance.random(count) < 0.01),
        }
    )
    dates = {ap_id: date(2019 + number % 4, 8, 1) for number, ap_id in enumerate(ids.to_pylist()) if number % 2}
    return table, dates


def policy():
    """Four rules an exam: by score, by day of entry and another exam, with caps and replacements."""
    rules = []
    for number, code in enumerate(CODES):
        group, cap = (("", None), ("arts", Decimal(6)), ("sciences", Decimal(8)))[number % 3]
        for score in (3, 4, 5):
            name, credits = f"{code}-{score}", Decimal(score)
            rules.append(
                Rule(name, code, score_min=score, score_max=score, award=f"COURSE {name}", credits=credits,
                     cap_group=group, cap_credits=cap)
            )  # fmt: skip
        other = Requirement(CODES[(number + 1) % len(CODES)], 4)
        rules.append(
            Rule(f"{code}-N", code, entry_from=date(2020, 1, 1), score_min=4, also_requires=(other,),
                 award=f"COURSE {code}-N", credits=Decimal("2.67"), replaces=(f"{code}-4", f"{code}-5"))
        )  # fmt: skip
    return policy_of(rules)


def measure(folder):
    """Read, evaluate and write in this process, and print what it took."""
    clock, processor = time.perf_counter(), time.process_time()
    table = read_current_scores(folder)
    dates = read_entry_dates(folder / "entries.csv")
    read = time.process_time()
    credit = award_credit(table, policy(), entry_dates=dates)
    evaluated = time.process_time()
    write_credit(credit, folder)
    written, clock = time.process_time(), time.perf_counter() - clock
    print(
        f"seconds of the processor: read {read - processor:.2f}, evaluate {evaluated - read:.2f}, write "
        f"{written - evaluated:.2f}; {clock:.2f} s in all; peak memory "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB; {credit_counts(credit)['award']:,} awards"
    )


def main(count):
    with tempfile.TemporaryDirectory() as folder:
        table, dates = scores(count)
        pq.write_table(table, f"{folder}/exam_scores.parquet", row_group_size=1 << 15)
        rows = "".join(f"{ap_id},{day}\n" for ap_id, day in dates.items())
        Path(folder, "entries.csv").write_text(f"ap_id,entry_date\n{rows}")
        print(f"{count:,} exam scores, {len(policy().rules)} rules", flush=True)
        for _ in range(ROUNDS):
            # A process of its own, since this one holds the invented scores.
            subprocess.run([sys.executable, __file__, "--measure", folder], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
