"""A credit policy: rules from exams to courses, and what they mean together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from functools import cached_property

from airflow_provider_apscores.scorefile import Column, Table, exam_for


@dataclass(frozen=True, slots=True)
class Requirement:
    """Another exam that a rule asks for.

    Attributes:
        exam_code: Two digits.
        score_min: The lowest score of it that counts, 1 to 5.
    """

    exam_code: str
    score_min: int

    def __str__(self) -> str:
        return f"{self.exam_code}>={self.score_min}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a policy. None and the empty text stand for a blank cell: no limit.

    Attributes:
        name: The column ``rule``; unique in the policy.
        exam_code: Two digits.
        exam_year_from: First administration year, four digits.
        exam_year_to: Last administration year, four digits.
        entry_from: First day of entry.
        entry_to: Last day of entry.
        score_min: Lowest score, 1 to 5.
        score_max: Highest score, 1 to 5.
        also_requires: Exams that must be there as well.
        award: Courses, for people: ``MATH 151 + MATH 152``; with a ``|`` a person must choose.
        credits: How many, in the institution's unit; None where the policy does not say.
        replaces: Names of the rules that give way to this one.
        cap_group: The name of the group of rules whose credits are limited together.
        cap_credits: What the group gives at most.
        review: Why a person must decide; "" when the rule awards.
        note: Free text.
    """

    name: str
    exam_code: str
    exam_year_from: int | None = None
    exam_year_to: int | None = None
    entry_from: date | None = None
    entry_to: date | None = None
    score_min: int = 1
    score_max: int = 5
    also_requires: tuple[Requirement, ...] = ()
    award: str = ""
    credits: Decimal | None = None
    replaces: tuple[str, ...] = ()
    cap_group: str = ""
    cap_credits: Decimal | None = None
    review: str = ""
    note: str = ""

    @property
    def needs_entry_date(self) -> bool:
        """Whether the rule depends on the day of entry."""
        return self.entry_from is not None or self.entry_to is not None

    @property
    def asks_for(self) -> str:
        """Why a person must decide, or ""."""
        return self.review or ("choice" if "|" in self.award else "")

    @property
    def scope(self) -> str:
        """What the rule covers, in words."""
        parts = [f"exam {self.exam_code}", in_words(self.exam_year_from, self.exam_year_to)]
        exams = [exam_for(self.exam_code, year) for year in (self.exam_year_from or 1900, self.exam_year_to or 9999)]
        titles = {exam.title for exam in exams if exam}
        if len(titles) == 1:
            parts[0] += f" ({titles.pop()})"
        parts.append(f"score {self.score_min}" + (f" to {self.score_max}" if self.score_max > self.score_min else ""))
        if self.needs_entry_date:
            parts.append(f"entry {in_words(self.entry_from, self.entry_to)}")
        if self.also_requires:
            parts.append(f"with {' and '.join(map(str, self.also_requires))}")
        return ", ".join(filter(None, parts))


def in_words(first: object, last: object) -> str:
    """A range whose ends may be open, as people write it."""
    if first == last:
        return f"{first}" if first else ""
    return f"{first} to {last}" if first and last else f"from {first}" if first else f"up to {last}"


@dataclass(frozen=True)
class Policy:
    """Rules without a defect, sorted by name, so that their order in the file does not matter.

    Make one with :func:`~airflow_provider_apscores.scores.credit.read_policy`, which checks it.

    Attributes:
        rules: All rules.
    """

    rules: tuple[Rule, ...]

    @cached_property
    def sha256(self) -> str:
        """Digest of what the rules say: the same for the same rules in another order or encoding."""
        rows = [[str(getattr(rule, each.name)) for each in fields(Rule)] for rule in self.rules]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    @cached_property
    def superiors(self) -> dict[str, tuple[str, ...]]:
        """For each rule, the rules that it gives way to, the strongest first.

        Giving way is passed on: where BC replaces AB and AB replaces a subscore, BC replaces the subscore.
        """
        above: dict[str, set[str]] = {rule.name: set() for rule in self.rules}
        # The order is one in which a rule comes before those that it replaces.
        for name in self.order:
            for lower in self._named[name].replaces:
                above[lower] |= above[name] | {name}
        rank = {name: place for place, name in enumerate(self.order)}
        return {name: tuple(sorted(names, key=rank.__getitem__)) for name, names in above.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names of all rules: each before those that it replaces, else by name."""
        waiting = {rule.name: sum(rule.name in other.replaces for other in self.rules) for rule in self.rules}
        order: list[str] = []
        while waiting:
            name = min(each for each, count in waiting.items() if not count)
            del waiting[name]
            order.append(name)
            for lower in self._named[name].replaces:
                waiting[lower] -= 1
        return tuple(order)

    @cached_property
    def caps(self) -> dict[str, Decimal]:
        """Credits by cap group."""
        return {
            rule.cap_group: rule.cap_credits for rule in self.rules if rule.cap_group and rule.cap_credits is not None
        }

    @cached_property
    def _named(self) -> dict[str, Rule]:
        return {rule.name: rule for rule in self.rules}


def plain(credits: Decimal | None) -> str:
    """A number of credits as people write it."""
    return "" if credits is None else f"{credits.normalize():f}"


def policy_of(rules: Iterable[Rule]) -> Policy:
    """The policy of *rules*, which are not checked."""
    return Policy(tuple(sorted(rules, key=lambda rule: rule.name)))


#: What ``decision`` can be.
DECISIONS = ("award", "no_rule", "below", "replaced", "capped", "review", "not_final", "withdrawn")

_KEY = ("college_code", "ap_id", "admin_year", "exam_code")

#: The result: one row for each current exam score, sorted by its key.
CREDIT = Table(
    "credit",
    "What a current exam score is worth under a credit policy.",
    _KEY,
    (
        Column("ap_id", "string", "The student's AP ID, as in the exam score."),
        Column("college_code", "string", "The campus, six digits.", repeats=True),
        Column("admin_year", "int16", "Year of the administration, four digits."),
        Column("exam_code", "string", "Exam code, two digits.", repeats=True),
        Column("score", "int8", "1 to 5; null where none is reported."),
        Column("status", "string", "The status of the exam score.", repeats=True),
        Column("rule", "string", "The rule that decided; null where none did.", repeats=True),
        Column("award", "string", "The rule's courses, for award, capped and review; else null.", repeats=True),
        Column("credits", "float64", "The credits given, for award and capped; else null."),
        Column("decision", "string", f"One of {', '.join(DECISIONS)}.", repeats=True),
        Column("reason", "string", "Why, as a sentence.", repeats=True),
        Column("policy_sha256", "string", "Digest of the policy's rules.", repeats=True),
        Column("as_of", "date32", "The day for which the result was asked; null when none was named."),
    ),
)
