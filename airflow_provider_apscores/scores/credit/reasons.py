"""Why a score is worth what it is, as sentences. Few different ones stand in many rows."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_apscores.scores.credit.policy import Rule, plain


class Reasons:
    """Sentences and their numbers.

    Attributes:
        texts: Each sentence at its number.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def code(self, text: str) -> int:
        """The number of a sentence."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def award(self, rule: Rule) -> int:
        """A rule awards."""
        return self.code(f"Rule {rule.name}: {rule.scope}.")

    def review(self, rule: Rule | None) -> int:
        """A person must decide; without a rule, for want of an entry date."""
        if rule is None:
            return self.code("The rules for this exam depend on the entry date, and there is none.")
        return self.code(f"Rule {rule.name} asks for a decision by a person: {rule.asks_for}.")

    def not_final(self, status: str, accepted: bool) -> int:
        """The status does not count, or there is no score."""
        return self.code("There is no score." if accepted else f"The status is {status}.")

    def lacking(self, rule: Rule) -> int:
        """An exam that a rule also requires is not there."""
        return self.code(f"Rule {rule.name} also requires {' and '.join(map(str, rule.also_requires))}.")

    def below(self, rule: Rule) -> int:
        """The score is too low."""
        return self.code(f"Rule {rule.name} asks for a score of {rule.score_min} or more.")

    def another_score(self) -> int:
        """A better row of the same exam."""
        return self.code("Another score of the same exam counts.")

    def another_use(self, rule: Rule) -> int:
        """A better row of the same rule."""
        return self.code(f"Rule {rule.name} awards once, for another score.")

    def gives_way(self, superior: str) -> int:
        """A rule that replaces this one."""
        return self.code(f"Rule {superior} of the same person replaces this one.")

    def capped(self, group: str, cap: Decimal) -> int:
        """A cap that is reached."""
        return self.code(f"All exams of the group {group} together give at most {plain(cap)} credits.")
