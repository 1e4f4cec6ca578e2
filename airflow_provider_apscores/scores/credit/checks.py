"""What the rules of a policy say together: overlaps, replacements, caps, exams and their years."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any

from airflow_provider_apscores.scorefile import EXAMS
from airflow_provider_apscores.scores.credit.policy import Rule, in_words, plain


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A defect or a warning.

    Attributes:
        line: The line of the file, counted from 1.
        column: The column's name, or "".
        text: What is wrong and what to do.
    """

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}{f', {self.column}' if self.column else ''}: {self.text}"


@dataclass(slots=True)
class Row:
    """A rule with its line. A cell that could not be read has its default, and its column is in *unread*."""

    line: int
    rule: Rule
    unread: frozenset[str] = frozenset()


#: In the administration of 2020, exams of these codes got another title; 93 became another exam.
_RENAMED = {exam.code for exam in EXAMS if exam.last_year == 2019} & {
    exam.code for exam in EXAMS if exam.first_year == 2020
}

_BOUNDS = ("exam_year_from", "exam_year_to", "entry_from", "entry_to", "score_min", "score_max")
_OVERLAP = {"exam_code", "replaces", *_BOUNDS}


def check_together(rows: Sequence[Row]) -> tuple[list[Finding], list[Finding]]:
    """Return the defects and the warnings of *rows*. A check leaves out rows whose cells for it could not be read."""
    checks = (_names, _ranges, _exams, _awards, _requirements, _replacements, _cycles, _overlaps, _caps)
    return [found for check in checks for found in check(rows)], list(_renamed(rows))


def _readable(rows: Sequence[Row], *columns: str) -> list[Row]:
    return [row for row in rows if row.unread.isdisjoint(columns)]


def _names(rows: Sequence[Row]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for row in _readable(rows, "rule"):
        line = first.setdefault(row.rule.name, row.line)
        if line != row.line:
            yield Finding(
                row.line, "rule", f"{row.rule.name!r} is on line {line} already. Each rule needs its own name."
            )


def _ranges(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        for low, high in zip(_BOUNDS[::2], _BOUNDS[1::2], strict=True):
            first, last = getattr(row.rule, low), getattr(row.rule, high)
            if first is not None and last is not None and first > last:
                yield Finding(row.line, low, f"{first} is above {high}, {last}.")


def _exams(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in _readable(rows, "exam_code", "exam_year_from", "exam_year_to"):
        rule = row.rule
        lines = [exam for exam in EXAMS if exam.code == rule.exam_code]
        if not lines:
            yield Finding(row.line, "exam_code", f"there is no AP exam {rule.exam_code}.")
        elif not any(
            _meet(rule.exam_year_from, rule.exam_year_to, exam.first_year, exam.last_year, (0, 9999)) for exam in lines
        ):
            years = " and ".join(in_words(exam.first_year, exam.last_year) for exam in lines)
            yield Finding(row.line, "exam_code", f"there was no AP exam {rule.exam_code} in these years, only {years}.")


def _awards(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in _readable(rows, "award", "credits", "review"):
        if not row.rule.award and row.rule.credits is None and not row.rule.review:
            yield Finding(row.line, "award", "award, credits and review are blank: the rule has no effect.")


def _requirements(rows: Sequence[Row]) -> Iterator[Finding]:
    known = {exam.code for exam in EXAMS}
    for row in rows:
        for each in row.rule.also_requires:
            if each.exam_code not in known:
                yield Finding(row.line, "also_requires", f"there is no AP exam {each.exam_code}.")
            if each.exam_code == row.rule.exam_code:
                yield Finding(row.line, "also_requires", f"{each} is the rule's own exam. Use score_min.")


def _replacements(rows: Sequence[Row]) -> Iterator[Finding]:
    names = {row.rule.name for row in rows}
    for row in rows:
        for name in row.rule.replaces:
            if name not in names:
                hint = " Separate rules with semicolons." if "," in name else ""
                yield Finding(row.line, "replaces", f"there is no rule {name!r}.{hint}")


def _cycles(rows: Sequence[Row]) -> Iterator[Finding]:
    below = _below(rows)
    for row in rows:
        if row.rule.name in below.get(row.rule.name, ()):
            circle = sorted(
                name for name in below[row.rule.name] if row.rule.name in below.get(name, ()) and name != row.rule.name
            )
            through = f" through {', '.join(circle)}" if circle else ""
            yield Finding(row.line, "replaces", f"{row.rule.name!r} replaces itself{through}.")


def _below(rows: Sequence[Row]) -> dict[str, set[str]]:
    """For each rule all rules that it replaces, through others too."""
    named = {row.rule.name: row.rule.replaces for row in rows}
    below: dict[str, set[str]] = {}
    for name in named:
        reached: set[str] = set()
        waiting = list(named[name])
        while waiting:
            lower = waiting.pop()
            if lower not in reached:
                reached.add(lower)
                waiting += named.get(lower, ())
        below[name] = reached
    return below


def _overlaps(rows: Sequence[Row]) -> Iterator[Finding]:
    below = _below(rows)
    by_exam: dict[str, list[Row]] = {}
    for row in _readable(rows, *_OVERLAP):
        by_exam.setdefault(row.rule.exam_code, []).append(row)
    for same in by_exam.values():
        for first, second in combinations(same, 2):
            one, other = first.rule, second.rule
            related = other.name in below.get(one.name, ()) or one.name in below.get(other.name, ())
            if not related and _overlap(one, other):
                yield Finding(
                    second.line,
                    "",
                    f"the rule {other.name!r} overlaps with {one.name!r} of line {first.line}: both cover some "
                    f"scores of exam {one.exam_code}. Narrow one of them, or let one replace the other.",
                )


def _overlap(one: Rule, other: Rule) -> bool:
    limits = ((0, 9999), (date.min, date.max), (1, 5))
    return all(
        _meet(getattr(one, low), getattr(one, high), getattr(other, low), getattr(other, high), limit)
        for low, high, limit in zip(_BOUNDS[::2], _BOUNDS[1::2], limits, strict=True)
    )


def _meet(first: Any, last: Any, other_first: Any, other_last: Any, limits: tuple[Any, Any]) -> bool:
    """Whether two ranges have a value in common; None is no limit."""
    low, high = limits
    return bool((first or low) <= (other_last or high) and (other_first or low) <= (last or high))


def _caps(rows: Sequence[Row]) -> Iterator[Finding]:
    caps: dict[str, Row] = {}
    readable = _readable(rows, "cap_group", "cap_credits")
    for row in readable:
        rule = row.rule
        if rule.cap_credits is not None and not rule.cap_group:
            yield Finding(row.line, "cap_group", "cap_credits needs the name of its group here.")
        elif rule.cap_credits is not None:
            first = caps.setdefault(rule.cap_group, row)
            if first.rule.cap_credits != rule.cap_credits:
                yield Finding(
                    row.line,
                    "cap_credits",
                    f"the group {rule.cap_group!r} has {plain(first.rule.cap_credits)} on line {first.line}. A group "
                    "has one cap.",
                )
        if rule.cap_group and rule.credits is None and "credits" not in row.unread and not rule.asks_for:
            yield Finding(row.line, "credits", "a rule of a cap group needs a number of credits.")
    unread = {row.rule.cap_group for row in rows if "cap_credits" in row.unread}
    for row in readable:
        if row.rule.cap_group and row.rule.cap_group not in caps.keys() | unread:
            yield Finding(
                row.line, "cap_credits", f"no rule says how many credits the group {row.rule.cap_group!r} gives."
            )


def _renamed(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in _readable(rows, "exam_code", "exam_year_from", "exam_year_to"):
        rule = row.rule
        if rule.exam_code in _RENAMED and (rule.exam_year_from or 0) <= 2019 and (rule.exam_year_to or 9999) >= 2020:
            before, after = (exam.title for exam in EXAMS if exam.code == rule.exam_code)
            yield Finding(
                row.line,
                "exam_year_from",
                f"exam {rule.exam_code} was {before} up to 2019 and is {after} since 2020; this rule covers both.",
            )
