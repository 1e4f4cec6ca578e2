"""What each current exam score is worth: a policy applied to the scores of every person at a campus.

A Python loop runs over rules only; whatever is done with scores is done by NumPy, on numbers. In this order:

1. A row counts when its status is accepted, it has a score, and it is not withdrawn.
2. Each row gets the first rule that covers it, where a rule comes before those that it replaces.
3. Of a person's rows for one exam, and of those with one rule, the best counts: by score, credits, year and rule.
4. A rule that another rule of the same person replaces gives way.
5. Caps are filled by score, credits and rule. A row that does not fit whole gets what is left.

Credits are whole numbers of thousandths here, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError
from airflow_provider_apscores.scorefile import STATUSES
from airflow_provider_apscores.scores.credit.policy import CREDIT, DECISIONS, Policy, Rule
from airflow_provider_apscores.scores.credit.reasons import Reasons
from airflow_provider_apscores.scores.credit.scores import Scores

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

_DECISION = {name: code for code, name in enumerate(DECISIONS)}
#: In place of a rule: no rule, or rules that need an entry date that is missing.
_NO_RULE, _UNDATED = -1, -2
#: The administration in which a code became another exam. The exams 14, 15 and 16 kept their place and only got another
#: title in 2020, as College Board's page on AP Studio Art says.
_ANOTHER_EXAM_SINCE = {"93": 2020}


def award_credit(
    exam_scores: pa.Table,
    policy: Policy,
    *,
    entry_dates: Mapping[str, date] | None = None,
    accept: Sequence[str] = ("reported",),
    as_of: date | None = None,
) -> pa.Table:
    """Say for each current exam score what it is worth under *policy*.

    Args:
        exam_scores: The exam scores of the current state, with ``withdrawn`` and ``person_id``.
        policy: The rules.
        entry_dates: The day of entry by AP ID.
        accept: The statuses whose scores may earn credit.
        as_of: A day to write into each row.

    Returns:
        The table :data:`~.policy.CREDIT`: one row for each exam score, sorted by its key. The same scores and policy
        give the same table, in whatever order they come.

    Raises:
        ConfigurationError: A status is not known, or the table is not the current state.
    """
    if isinstance(accept, str) or not accept or not set(accept) <= set(STATUSES):
        raise ConfigurationError(f"accept must be a list of some of {', '.join(STATUSES)}.")
    scores = Scores(exam_scores, entry_dates or {})
    return _Evaluation(scores, policy).run(accept).table(as_of)


class _Evaluation:
    """Decisions in the making: each array has one value a row."""

    def __init__(self, scores: Scores, policy: Policy) -> None:
        import numpy as np

        self._scores = scores
        self._policy = policy
        # A rule's number is its place in this list: it comes before those that it replaces.
        named = {rule.name: rule for rule in policy.rules}
        self._rules = [named[name] for name in policy.order]
        self._number = {rule.name: number for number, rule in enumerate(self._rules)}
        by_name = sorted(self._number)
        self._rank = np.array([by_name.index(rule.name) for rule in self._rules] + [0, 0], dtype=np.int16)
        # The last two stand for _UNDATED and _NO_RULE, which are -2 and -1.
        self._worth = np.array([_thousandths(rule.credits) for rule in self._rules] + [0, 0], dtype=np.int64)
        self._asks = np.array([bool(rule.asks_for) for rule in self._rules] + [True, False])
        self._reasons = Reasons()
        count = len(scores.person)
        self._rule = np.full(count, _NO_RULE, dtype=np.int32)
        self._identity = np.zeros(count, dtype=np.int32)
        self._decision = np.full(count, _DECISION["no_rule"], dtype=np.int8)
        self._reason = np.full(
            count, self._reasons.code("No rule covers this exam, year, score and entry date."), dtype=np.int32
        )
        self._credits = np.full(count, -1, dtype=np.int64)

    def run(self, accept: Sequence[str]) -> _Evaluation:
        import numpy as np

        accepted = self._accepted(accept)
        self._match(accepted)
        live = self._rule != _NO_RULE
        self._award_once(live, self._identity, lambda _: self._reasons.another_score())
        self._award_once(live, self._rule, lambda row: self._reasons.another_use(self._rules[self._rule[row]]))
        self._replace(live)
        asks = live & self._asks[self._rule]
        self._decide(np.flatnonzero(asks), "review", self._reasons.review)
        self._decide(np.flatnonzero(live & ~asks), "award", self._reasons.award)
        self._cap(np.flatnonzero(live & ~asks))
        return self

    def _accepted(self, accept: Sequence[str]) -> Array:
        import numpy as np

        scores = self._scores
        accepted = np.isin(scores.status, [scores.statuses.index(name) for name in accept if name in scores.statuses])
        for number, name in enumerate(scores.statuses):
            out = (scores.status == number) & (~accepted | (scores.score == 0))
            self._set(out, "not_final", self._reasons.not_final(name, name in accept))
        self._set(scores.withdrawn, "withdrawn", self._reasons.code("The latest report no longer has this exam."))
        counts: Array = accepted & (scores.score > 0) & ~scores.withdrawn
        return counts

    def _match(self, accepted: Array) -> None:
        """Give each accepted row its rule, or say why there is none."""
        import numpy as np

        rows = np.flatnonzero(accepted)
        rows = rows[np.argsort(self._scores.exam[rows], kind="stable")]
        exams = self._scores.exam[rows]
        by_exam = {}
        for number, code in enumerate(self._scores.exams):
            begin, end = np.searchsorted(exams, [number, number + 1])
            by_exam[code] = rows[begin:end]
        persons = _PersonsByExam(self._scores, by_exam)
        for number, code in enumerate(self._scores.exams):
            rules = [rule for rule in self._rules if rule.exam_code == code]
            self._identity[by_exam[code]] = _identity(number, code, self._scores.year[by_exam[code]])
            self._match_exam(by_exam[code], rules, persons)

    def _match_exam(self, rows: Array, rules: list[Rule], persons: _PersonsByExam) -> None:
        import numpy as np

        scores = self._scores
        undecided = np.ones(len(rows), dtype=bool)
        lacking: list[tuple[Rule, Array]] = []
        low: list[tuple[Rule, Array]] = []
        for rule in rules:
            covered = _within(scores.year[rows], rule.exam_year_from, rule.exam_year_to)
            undated = np.zeros(len(rows), dtype=bool)
            if rule.needs_entry_date:
                entry = scores.entry[rows]
                undated = entry == scores.NO_ENTRY
                covered &= undated | _within(entry, _days(rule.entry_from), _days(rule.entry_to))
            low.append((rule, covered & (scores.score[rows] < rule.score_min)))
            covered &= _within(scores.score[rows], rule.score_min, rule.score_max)
            for each in rule.also_requires:
                complete = persons.having(each.exam_code, each.score_min)[scores.person[rows]]
                lacking.append((rule, covered & ~complete))
                covered &= complete
            chosen = covered & undecided
            self._rule[rows[chosen]] = self._number[rule.name]
            self._rule[rows[chosen & undated]] = _UNDATED
            undecided &= ~chosen
        for rule, found in lacking:
            self._set(rows[found & undecided], "no_rule", self._reasons.lacking(rule))
            undecided &= ~found
        for rule, found in sorted(low, key=lambda each: (each[0].score_min, each[0].name)):
            self._set(rows[found & undecided], "below", self._reasons.below(rule))
            undecided &= ~found

    def _award_once(self, live: Array, group: Array, reason: Any) -> None:
        """Of a person's live rows of one group, keep the best."""
        import numpy as np

        scores = self._scores
        rows = np.flatnonzero(live & (group >= 0))
        if not len(rows):
            return
        key = scores.person[rows] * (int(group.max()) + 1) + group[rows]
        order = np.argsort(key, kind="stable")
        same = np.diff(key[order]) == 0
        # Most are alone: only the others are compared.
        repeated = order[np.append(same, False) | np.insert(same, 0, False)]
        rows, key = rows[repeated], key[repeated]
        rule = self._rule[rows]
        # The last of these decides first.
        order = np.lexsort((rows, self._rank[rule], -scores.year[rows], -self._worth[rule], -scores.score[rows], key))
        beaten = rows[order][1:][np.diff(key[order]) == 0]
        live[beaten] = False
        for row in _firsts(self._rule[beaten], beaten):
            self._set(beaten[self._rule[beaten] == self._rule[row]], "replaced", reason(row))

    def _replace(self, live: Array) -> None:
        """Let rules give way to those that replace them, for each person."""
        import numpy as np

        scores = self._scores
        of_rule = {number: np.flatnonzero(live & (self._rule == number)) for number in np.unique(self._rule[live])}
        for rule in self._rules:
            rows = of_rule.get(self._number[rule.name], ())
            for name in self._policy.superiors[rule.name] if len(rows) else ():
                superior = np.zeros(scores.people, dtype=bool)
                superior[scores.person[of_rule.get(self._number[name], [])]] = True
                given = rows[superior[scores.person[rows]]]
                self._set(given, "replaced", self._reasons.gives_way(name))
                live[given] = False
                rows = rows[live[rows]]

    def _cap(self, rows: Array) -> None:
        """Limit the credits of each cap group, for each person."""
        import numpy as np

        groups = sorted(self._policy.caps)
        of_rule = np.array([groups.index(rule.cap_group) if rule.cap_group else -1 for rule in self._rules] + [-1, -1])
        rows = rows[of_rule[self._rule[rows]] >= 0]
        if not len(rows):
            return
        rule = self._rule[rows]
        group = self._scores.person[rows] * len(groups) + of_rule[rule]
        order = np.lexsort((rows, self._rank[rule], -self._worth[rule], -self._scores.score[rows], group))
        rows, group, worth = rows[order], group[order], self._worth[rule[order]]
        begins = np.insert(group[1:] != group[:-1], 0, True)
        sums = np.cumsum(worth) - worth
        before = sums - np.maximum.accumulate(np.where(begins, sums, 0))
        cap = np.array([_thousandths(self._policy.caps[name]) for name in groups], dtype=np.int64)[group % len(groups)]
        left = np.maximum(cap - before, 0)
        over = worth > left
        self._credits[rows[over]] = left[over]
        for number, name in enumerate(groups):
            capped = rows[over & (group % len(groups) == number)]
            self._set(capped, "capped", self._reasons.capped(name, self._policy.caps[name]))

    def _decide(self, rows: Array, decision: str, reason: Any) -> None:
        import numpy as np

        self._decision[rows] = _DECISION[decision]
        for number in np.unique(self._rule[rows]):
            of_rule = rows[self._rule[rows] == number]
            rule = self._rules[number] if number >= 0 else None
            self._reason[of_rule] = reason(rule)
            if decision == "award" and rule is not None and rule.credits is not None:
                self._credits[of_rule] = self._worth[number]

    def _set(self, rows: Array, decision: str, reason: int) -> None:
        self._decision[rows] = _DECISION[decision]
        self._reason[rows] = reason

    def table(self, as_of: date | None) -> pa.Table:
        """The result as a table."""
        import numpy as np
        import pyarrow as pa

        count = len(self._rule)
        shows = np.isin(self._decision, [_DECISION[name] for name in ("award", "capped", "review")])
        rule = np.where(self._rule < 0, len(self._rules), self._rule)
        award = np.where(shows, rule, len(self._rules))

        def words(codes: Array, values: Sequence[str]) -> pa.Array:
            # pyarrow writes a Parquet file from uninitialised memory if a value is in the dictionary twice.
            different = list(dict.fromkeys(value for value in values if value))
            places = {value: number for number, value in enumerate(different)}
            indices = np.array([places.get(value, -1) for value in values] + [-1], dtype=np.int32)[codes]
            return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), pa.array(different, pa.string()))

        columns = {
            **self._scores.key(),
            "rule": words(rule, [each.name for each in self._rules]),
            "award": words(award, [each.award for each in self._rules]),
            "credits": pa.array(self._credits / 1000, mask=self._credits < 0),
            "decision": words(self._decision.astype(np.int32), DECISIONS),
            "reason": words(self._reason, self._reasons.texts),
            "policy_sha256": words(np.zeros(count, dtype=np.int32), [self._policy.sha256]),
            "as_of": pa.array([as_of], pa.date32()).take(pa.array(np.zeros(count, dtype=np.int32))),
        }
        schema = CREDIT.schema(encoded=True)
        return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


class _PersonsByExam:
    """Which persons have which exam with which score."""

    def __init__(self, scores: Scores, by_exam: Mapping[str, Array]) -> None:
        self._scores = scores
        self._by_exam = by_exam
        self._known: dict[tuple[str, int], Array] = {}

    def having(self, code: str, score_min: int) -> Array:
        """For each person, whether a score of the exam is at least *score_min*."""
        import numpy as np

        if (code, score_min) not in self._known:
            rows = self._by_exam.get(code, np.zeros(0, dtype=np.int64))
            persons = np.zeros(self._scores.people, dtype=bool)
            persons[self._scores.person[rows[self._scores.score[rows] >= score_min]]] = True
            self._known[code, score_min] = persons
        return self._known[code, score_min]


def _identity(number: int, code: str, years: Array) -> Array:
    """A number for the exam that a code meant in each year: one code can be two exams."""
    found: Array = number * 2 + (years >= _ANOTHER_EXAM_SINCE.get(code, 0))
    return found


def _within(values: Array, low: int | None, high: int | None) -> Array:
    import numpy as np

    mask = np.ones(len(values), dtype=bool)
    if low is not None:
        mask &= values >= low
    if high is not None:
        mask &= values <= high
    return mask


def _firsts(groups: Array, rows: Array) -> Array:
    """One row of each group."""
    import numpy as np

    return rows[np.unique(groups, return_index=True)[1]]


def _days(day: date | None) -> int | None:
    return None if day is None else (day - date(1970, 1, 1)).days


def _thousandths(credits: Any) -> int:
    return int((credits or 0) * 1000)
