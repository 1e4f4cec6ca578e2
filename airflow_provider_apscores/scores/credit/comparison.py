"""What another policy would change, in counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = ("college_code", "ap_id", "admin_year", "exam_code")
_RESULT = ("decision", "award", "credits")


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of one exam that change alike.

    Attributes:
        exam_code: Two digits.
        before: The result of the first policy, as ``decision: award (credits)``.
        after: That of the other.
        rows: How many.
    """

    exam_code: str
    before: str
    after: str
    rows: int


@dataclass(frozen=True, slots=True)
class CreditComparison:
    """The difference between the results of two policies for the same scores. No personal data.

    Attributes:
        rows: Rows of each result.
        changed: Rows whose decision, award or credits differ.
        people: Persons (AP IDs at a campus) with such a row.
        credits_before: All credits of the first policy.
        credits_after: All credits of the other.
        changes: Rows that change alike, by exam, the most frequent first.
    """

    rows: int
    changed: int
    people: int
    credits_before: float
    credits_after: float
    changes: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self) | {"changes": [asdict(change) for change in self.changes]}


def compare_credit(before: pa.Table, after: pa.Table) -> CreditComparison:
    """Compare two results of :func:`~airflow_provider_apscores.scores.credit.award_credit` for the same scores.

    Raises:
        ConfigurationError: The results are of different scores.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not before.select(_KEY).equals(after.select(_KEY)):
        raise ConfigurationError("The two results are of different scores. Evaluate both policies with the same ones.")
    first, second = _results(before), _results(after)
    rows = pa.table(
        {
            "exam_code": before["exam_code"].cast("string"),
            "person": _person(before),
            "before": first,
            "after": second,
        }
    ).filter(pc.not_equal(first, second))
    counted = rows.group_by(["exam_code", "before", "after"]).aggregate([([], "count_all")])
    changes = [Change(row["exam_code"], row["before"], row["after"], row["count_all"]) for row in counted.to_pylist()]
    changes.sort(key=lambda change: (change.exam_code, -change.rows, change.before, change.after))
    return CreditComparison(
        rows=before.num_rows,
        changed=rows.num_rows,
        people=len(rows["person"].unique()),
        credits_before=total_credits(before),
        credits_after=total_credits(after),
        changes=tuple(changes),
    )


def credit_counts(credit: pa.Table) -> dict[str, int]:
    """Rows of a result by decision, those without a row included."""
    from airflow_provider_apscores.scores.credit.policy import DECISIONS

    found = {row["values"]: row["counts"] for row in credit["decision"].cast("string").value_counts().to_pylist()}
    return {name: found.get(name, 0) for name in DECISIONS}


def total_credits(credit: pa.Table) -> float:
    """All credits that a result gives."""
    import pyarrow.compute as pc

    return round(pc.sum(credit["credits"]).as_py() or 0.0, 3)


def _results(credit: pa.Table) -> Any:
    """For each row what it is worth, as text."""
    import pyarrow.compute as pc

    award = pc.binary_join_element_wise(": ", credit["award"].cast("string"), "", null_handling="replace")
    award = pc.if_else(pc.is_valid(credit["award"]), award, "")
    credits = pc.binary_join_element_wise(" (", credit["credits"].cast("string"), ")", "")
    credits = pc.fill_null(credits, "")
    return pc.binary_join_element_wise(credit["decision"].cast("string"), award, credits, "")


def _person(credit: pa.Table) -> Any:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(credit["college_code"].cast("string"), credit["ap_id"], "/")
