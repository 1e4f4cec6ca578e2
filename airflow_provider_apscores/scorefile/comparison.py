"""Compare the exam scores of some score files with those of others: what is missing, changed or extra.

Reports are cumulative, so one exam score comes again and again; of each side the latest report counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from airflow_provider_apscores.scorefile.reader import ScoreFile
from airflow_provider_apscores.scorefile.spec.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = ("ap_id", "college_code", "admin_year", "exam_code")
#: What makes two exam scores of one key the same.
_VALUES = ("score", "status", "irregularity_1", "irregularity_2")
_KEPT = (*_KEY, *_VALUES, "report_date")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        expected: Exam scores that should be there, each key once.
        landed: Exam scores that are there, each key once.
        missing: How many of the expected are not there.
        changed: How many are there with another score, status or irregularity code.
        extra: How many are there and not expected.
        missing_key: How many of the expected lack an AP ID, a year or a code, and so can't be compared.
        rows: One row for each of these, with personal data: ``finding``, the key, and the values of both sides.
    """

    expected: int
    landed: int
    missing: int
    changed: int
    extra: int
    missing_key: int
    rows: pa.Table

    def parquet(self) -> bytes:
        """The rows as a Parquet file."""
        import io

        import pyarrow.parquet

        file = io.BytesIO()
        pyarrow.parquet.write_table(self.rows, file)
        return file.getvalue()


def compare_exam_scores(
    expected: Iterable[ScoreFile], landed: Iterable[ScoreFile], *, extra_since: date | None = None
) -> Comparison:
    """Compare the exam scores of two groups of score files by their key.

    Only what is compared is kept in memory, some fifty bytes an exam score.

    Args:
        expected: What should be there.
        landed: What is there.
        extra_since: Landed reports of earlier days are not extra: they come from before what is expected began.

    Raises:
        ScoreFileMalformed: One of them is damaged.
        StorageUnavailable: One of them can't be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    should, missing_key = _latest(expected)
    there, _ = _latest(landed)
    both = should.append_column("expected", pa.repeat(True, should.num_rows)).join(
        there.append_column("landed", pa.repeat(True, there.num_rows)),
        keys=list(_KEY),
        join_type="full outer",
        right_suffix="_landed",
    )
    is_expected, is_landed = both["expected"].is_valid(), both["landed"].is_valid()
    differs = pa.chunked_array([pa.repeat(False, both.num_rows)])
    for name in _VALUES:
        mine, theirs = both[name], both[f"{name}_landed"]
        one_is_null = pc.xor(mine.is_null(), theirs.is_null())
        differs = pc.or_(differs, pc.or_(one_is_null, pc.fill_null(pc.not_equal(mine, theirs), False)))
    missing = pc.and_not(is_expected, is_landed)
    changed = pc.and_(pc.and_(is_expected, is_landed), differs)
    extra = pc.and_not(is_landed, is_expected)
    if extra_since is not None:
        extra = pc.and_(extra, pc.fill_null(pc.greater_equal(both["report_date_landed"], pa.scalar(extra_since)), True))
    finding = pc.if_else(missing, "missing", pc.if_else(changed, "changed", pc.if_else(extra, "extra", None)))
    rows = both.drop_columns(["expected", "landed"]).add_column(0, "finding", finding)
    rows = rows.filter(finding.is_valid()).sort_by([(name, "ascending") for name in ("finding", *_KEY)])
    return Comparison(
        expected=should.num_rows,
        landed=there.num_rows,
        missing=pc.sum(missing).as_py() or 0,
        changed=pc.sum(changed).as_py() or 0,
        extra=pc.sum(extra).as_py() or 0,
        missing_key=missing_key,
        rows=rows,
    )


def _latest(files: Iterable[ScoreFile]) -> tuple[pa.Table, int]:
    """The exam scores of *files*, of each key that of the latest report; of two of one day, the one read later.

    Returns:
        The exam scores, and the number of others: those with a null in their key.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    declared = TABLES["exam_scores"].schema()
    found = pa.schema([declared.field(name) for name in _KEPT]).empty_table()
    missing_key = 0
    # File by file, since cumulative reports repeat themselves.
    for file in files:
        with file:
            rows = pa.Table.from_batches([batch.exam_scores.select(_KEPT) for batch in file.batches()], found.schema)
        keyed = rows.filter(reduce(and_, [pc.field(name).is_valid() for name in _KEY]))
        missing_key += rows.num_rows - keyed.num_rows
        found = pa.concat_tables([found, keyed])
        place = pa.array(np.arange(found.num_rows))
        # The sort is stable, so what was read later stays behind what it is equal to.
        day = found["report_date"].fill_null(date.min)
        found = found.append_column("day", day).sort_by("day").drop_columns("day")
        winners = found.append_column("place", place).group_by(list(_KEY)).aggregate([("place", "max")])
        found = found.take(winners["place_max"].sort())
    return found, missing_key
