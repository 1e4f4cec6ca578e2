"""What is in a score file, in numbers: nothing about a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_apscores.scorefile.columns.batch import Batch
from airflow_provider_apscores.scorefile.reader import ScoreFile
from airflow_provider_apscores.scorefile.spec.tables import STATUSES


@dataclass(slots=True)
class Summary:
    """Counts of a score file.

    Attributes:
        campuses: Student records, exam scores and awards by DI code ("-" where there is none).
        exams: Exam scores by (code, title or None) and by score (None where none is reported).
        statuses: Exam scores by status.
        problems: Rows of ``problems`` by (severity, kind).
        rejected: Lines that could not be read whole.
    """

    campuses: dict[str, Counter[str]] = field(default_factory=dict)
    exams: dict[tuple[str, str | None], Counter[int | None]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: int = 0

    def add(self, batch: Batch) -> None:
        """Count some rows more."""
        for table in ("students", "exam_scores", "awards"):
            for (code,), count in _counted(batch.table(table), "di_code"):
                self.campuses.setdefault(code or "-", Counter())[table] += count
        for (code, title, score), count in _counted(batch.exam_scores, "exam_code", "exam_title", "score"):
            self.exams.setdefault((code or "-", title), Counter())[score] += count
        for (status,), count in _counted(batch.exam_scores, "status"):
            self.statuses[status] += count
        for (severity, kind), count in _counted(batch.problems, "severity", "kind"):
            self.problems[severity, kind] += count
        self.rejected += len(batch.rejected)

    def lines(self, file: ScoreFile) -> Iterable[str]:
        """The summary for people."""
        kind = "CSV" if file.layout == "csv" else f"TXT, {file.layout} characters a record"
        yield f"{file.records:,} student records ({kind}), SHA-256 {file.sha256}"
        yield ""
        yield f"{'campus':<10}{'students':>12}{'exam scores':>14}{'awards':>10}"
        for code, counts in sorted(self.campuses.items()):
            yield f"{code:<10}{counts['students']:>12,}{counts['exam_scores']:>14,}{counts['awards']:>10,}"
        yield ""
        yield f"{'exam':<48}{'5':>9}{'4':>9}{'3':>9}{'2':>9}{'1':>9}{'none':>9}"
        for (code, title), scores in sorted(self.exams.items(), key=lambda item: (item[0][0], item[0][1] or "")):
            columns = "".join(f"{scores[score]:>9,}" for score in (5, 4, 3, 2, 1, None))
            yield f"{code:<4}{title or '(not known)':<44}{columns}"
        yield ""
        yield "status      " + ", ".join(f"{name} {self.statuses[name]:,}" for name in STATUSES if self.statuses[name])
        found = ", ".join(f"{kind} {count:,} ({severity})" for (severity, kind), count in sorted(self.problems.items()))
        yield f"problems    {found or 'none'}"
        yield f"rejected    {self.rejected:,} lines"
        if file.unread_columns:
            yield f"not read    {len(file.unread_columns)} columns: {', '.join(file.unread_columns)}"


def _counted(rows: Any, *names: str) -> Iterable[tuple[tuple[Any, ...], int]]:
    """How often each combination of values in some columns occurs."""
    import pyarrow as pa

    if not rows.num_rows:
        return []
    groups = pa.Table.from_batches([rows]).select(names).group_by(list(names)).aggregate([([], "count_all")])
    return [(tuple(row[name] for name in names), row["count_all"]) for row in groups.to_pylist()]
