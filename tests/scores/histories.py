"""Random histories of score reports, as files and as the plain facts that they say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from airflow_provider_apscores.scorefile import TABLES, encode_record, read_score_file
from airflow_provider_apscores.scorefile.spec.tables import DELIVERIES

EXAMS = ("07", "66", "93", "82", "80")
SLOTS = 30


@dataclass
class History:
    """What a college received: a list of files, each with its tables, in the order in which they landed.

    Attributes:
        files: The tables of each file.
        crosswalk: Which AP IDs are one person.
        purged: Digests of the files that retention deletes later.
    """

    files: list[dict[str, pa.Table]] = field(default_factory=list)
    crosswalk: dict[str, str] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)

    @property
    def kept(self) -> list[dict[str, pa.Table]]:
        """The files that are left after the purge."""
        return [file for file in self.files if digest(file) not in self.purged]


def digest(file):
    """The digest of a file, from its tables."""
    (found,) = file["deliveries"]["file_sha256"].to_pylist()
    return found


def deliveries(file, landed_at, slots=SLOTS):
    """The table ``deliveries`` of a score file."""
    dates = [day for day in file.students["report_date"].to_pylist() if day]
    row = {
        "file_sha256": file.sha256, "di_code": "4866", "download_id": "1", "download_type": "new",
        "file_format": file.kind, "file_name": "scores.txt", "landed_at": landed_at,
        "reported_from": min(dates, default=None), "reported_to": max(dates, default=None),
        "records": file.records, "exam_slots": slots, "parser_version": "0.1.0",
    }  # fmt: skip
    return pa.Table.from_pylist([row], DELIVERIES.schema())


def tables(content, landed_at):
    """All tables of the score file *content*."""
    file = read_score_file(content, today=date(2026, 12, 31))
    return {name: getattr(file, name) for name in TABLES} | {"deliveries": deliveries(file, landed_at)}


def record(ap_id, college, exams, report_date, awards=()):
    """A raw student record with exams (year, code, score, irregularity)."""
    raw = {
        "ap_id": ap_id, "last_name": "INVENTED", "first_name": "STUDENT", "college_code": college,
        "birth_date": "051408", "released_date": "010126", "report_date": report_date,
        "race_ethnicity_response": "NNNNYNNNNYN",
    }  # fmt: skip
    for slot, (year, code, score, irregularity) in enumerate(exams, 1):
        raw |= {
            f"admin_year_{slot:02}": year, f"exam_code_{slot:02}": code, f"exam_grade_{slot:02}": score,
            f"irregularity_1_{slot:02}": irregularity,
        }  # fmt: skip
    for slot, (kind, year) in enumerate(awards, 1):
        raw |= {f"award_type_{slot}": kind, f"award_year_{slot}": year}
    return raw


def random_history(seed: int) -> History:
    """Three students at two campuses over some reports: repeated, corrected, canceled, withdrawn, damaged, purged.

    No two seeds share an AP ID, so that all histories fit into one database.
    """
    chance = random.Random(seed)
    history = History()
    students = [f"AP{seed:05}{number}" for number in range(chance.randint(1, 3))]
    if chance.random() < 0.5:
        # One person with an ID of this year and one of last year.
        history.crosswalk = dict.fromkeys(students[:2], f"P{seed}")
    state = {
        (student, college): {
            (chance.choice(["24", "25", "26"]), code): [chance.choice(["1", "3", "5", ""]), ""]
            for code in chance.sample(EXAMS, chance.randint(1, 4))
        }
        for student in students
        for college in chance.sample(["004866", "000417"], chance.randint(1, 2))
    }
    day = date(2026, 7, 1)
    landed = datetime(2026, 7, 1, 8, tzinfo=UTC)
    for _ in range(chance.randint(1, 6)):
        day += timedelta(days=chance.choice([0, 0, 1, 5]))
        landed += timedelta(hours=chance.choice([0, 1, 24]))
        for exams in state.values():
            _change(exams, chance)
        lines = []
        for (student, college), exams in state.items():
            for _repeat in range(chance.choice([0, 1, 1, 1, 2])):
                lines.append(_line(student, college, exams, day, chance))
        if not lines:
            continue
        if history.files and chance.random() < 0.1:
            history.files.append(history.files[-1])  # the same content again
        history.files.append(tables(b"".join(line + b"\n" for line in lines), landed))
    if chance.random() < 0.4:
        history.purged = {digest(file) for file in history.files if chance.random() < 0.4}
    return history


def _change(exams, chance):
    for key in list(exams):
        match chance.random():
            case x if x < 0.1:
                exams[key][0] = chance.choice(["2", "4", ""])
            case x if x < 0.2:
                exams[key][1] = chance.choice(["94", "06", ""])
            case x if x < 0.3:
                del exams[key]
    if chance.random() < 0.2:
        exams.setdefault(("26", chance.choice(EXAMS)), ["5", ""])


def _line(student, college, exams, day, chance):
    filled = [(year, code, score, irregularity) for (year, code), (score, irregularity) in exams.items()]
    if chance.random() < 0.2:
        filled = filled[: len(filled) // 2]  # two partial records of one day
    if chance.random() < 0.08 and filled:
        filled += [("15", "07", "1", "")] * (SLOTS - len(filled))  # no slot left
    report_date = f"{day:%m%d%y}" if chance.random() > 0.06 else ""
    if chance.random() < 0.06:
        filled = [*filled[: SLOTS - 1], ("", "66", "3", "")]  # an incomplete exam
    if chance.random() < 0.05:
        student = ""
    raw = record(student, college, filled, report_date, awards=[("01", "26")] * chance.randint(0, 1))
    if chance.random() < 0.06:
        raw["birth_date"] = "9999AB"  # an error
    return encode_record(raw)
