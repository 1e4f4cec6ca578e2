"""How many exam scores a score file has, and which of the counts may be published.

A page in Airflow shows the distribution of the scores of a delivery. A count of two students is nearly a name, so small
counts are suppressed here, where they are made. They are in no event, no XCom and no page.

The rule is a partition. An exam is published by itself if all its five counts are at least :data:`LEAST`. All other
exams are added up to one group, :data:`OTHER`. If a count of the group is below the limit, the smallest of the exams
that stand by themselves joins the group, until all its counts are large enough. If even all exams together are too few,
nothing is published. So every exam is in one published sum or in none, and a published sum has one exam or at least
two: subtracting published sums from the exact number of all rows tells no count of a single exam.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

#: A published count is at least this. A zero is small as well: with it, a total shows the counts beside it.
LEAST = 10

#: The key of the exams that are published together.
OTHER = "other"

SCORES = ("1", "2", "3", "4", "5")

#: Statuses of exam scores that have a score. The others have none, or one that no longer counts.
_SCORED = ("reported", "projected")

#: The number of exam scores by score, "1" to "5".
Counts = dict[str, int]


class ExamScoreTally:
    """Counts exam scores while they are read. What it holds is private to the process.

    Attributes:
        scores: Exam scores by exam code and score. Subscores are left out, since they repeat their exam, and so are
            codes without a title, since the number of their rows is published as a problem.
        statuses: Exam scores, subscores too, by status.
    """

    #: The columns of ``exam_scores`` that are counted.
    COLUMNS = ("exam_code", "exam_title", "subscore_of", "score", "status")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Count from zero."""
        self.scores: dict[str, Counts] = {}
        self.statuses: Counter[str] = Counter()

    def add(self, exam_scores: pa.RecordBatch | pa.Table) -> None:
        """Count more rows of the table ``exam_scores``."""
        import pyarrow as pa

        if isinstance(exam_scores, pa.RecordBatch):
            exam_scores = pa.Table.from_batches([exam_scores])
        names = list(self.COLUMNS)
        groups = exam_scores.select(names).group_by(names).aggregate([([], "count_all")])
        columns = (groups[name].to_pylist() for name in (*names, "count_all"))
        for exam, title, subscore_of, score, status, rows in zip(*columns, strict=True):
            self.statuses[status] += rows
            if title and score and not subscore_of and status in _SCORED:
                self.scores.setdefault(exam, dict.fromkeys(SCORES, 0))[str(score)] += rows


def suppress(counts: Mapping[str, Counts], *, least: int = LEAST) -> dict[str, dict[str, Any]]:
    """Return the counts that may be published; see the module.

    Args:
        counts: Exam scores by exam code and score.
        least: The least number that is published.

    Returns:
        The same shape. An exam whose counts are suppressed has None for each score, and the key :data:`OTHER` has the
        sums of all these exams. Empty if nothing may be published.
    """
    published = {exam: cells for exam, cells in counts.items() if min(cells.values()) >= least}
    together = [exam for exam in counts if exam not in published]
    while together and published and not _is_large(_sum(counts, together), least):
        smallest = min(published, key=lambda exam: (sum(published[exam].values()), exam))
        del published[smallest]
        together.append(smallest)
    result: dict[str, dict[str, Any]] = {
        exam: dict(published[exam]) if exam in published else dict.fromkeys(counts[exam]) for exam in sorted(counts)
    }
    if together:
        result[OTHER] = _sum(counts, together)
        if not _is_large(result[OTHER], least):  # even all exams together are too few
            return {}
    return result


def _sum(counts: Mapping[str, Counts], exams: list[str]) -> Counts:
    return {score: sum(counts[exam][score] for exam in exams) for score in counts[exams[0]]}


def _is_large(cells: Counts, least: int) -> bool:
    return min(cells.values()) >= least
