"""What the page shows: plain values. All times are in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

#: The published score counts of a delivery, as ``scores.score_counts.suppress`` returns them.
ScoreCounts = Mapping[str, Mapping[str, int | None]]

#: A delivery that was not recorded for longer than this needs attention, and a poll that is overdue for longer.
LATE = timedelta(days=1)


class Status(StrEnum):
    """The state of a campus, in words."""

    FAILED = "Failed"
    PENDING = "Pending"
    RECORDED = "Recorded"
    LANDED = "Landed"
    EMPTY = "No delivery"


@dataclass(frozen=True, slots=True)
class Landed:
    """A score file that was landed.

    Attributes:
        at: When.
        records: Its student records.
        download_type: ``new`` or ``full``. A full file repeats the reports of the year.
        recorded_at: When the download was recorded, or None.
    """

    at: datetime
    records: int
    download_type: str = "new"
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HandOff:
    """The last hand-off to a consumer.

    Attributes:
        consumer: The name of the consumer.
        at: When.
        records: Student records.
    """

    consumer: str
    at: datetime
    records: int | None = None


@dataclass(frozen=True, slots=True)
class Campus:
    """What is known about a campus. None where nothing is known.

    Attributes:
        di_code: The campus, four digits.
        deliveries: Its deliveries since the first day of the report, oldest first.
        pending_since: When the first delivery landed that is not recorded, or None if there is none.
        problems: Problems in the last file.
        quarantined: Lines of the last file that could not be read whole.
        set_aside: Files in quarantine: neither published nor recorded. Known outside of Airflow only.
        statuses: Exam scores of the last file, by status.
        scores: Published score counts, of the delivery that landed at *scores_at*.
        scores_at: See *scores*.
        hand_offs: The last hand-off to each consumer.
        loaded_at: When rows were last loaded into a database.
        loaded_rows: How many.
        checked_at: When a task or a watcher last asked College Board and got an answer.
        error: The class of the last error, until the same task or watcher succeeds.
        error_at: When it occurred.
        next_poll_at: When a watcher polls next.
        has_status: Whether errors of tasks are known.
    """

    di_code: str
    deliveries: tuple[Landed, ...] = ()
    pending_since: datetime | None = None
    problems: int | None = None
    quarantined: int | None = None
    set_aside: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    scores: ScoreCounts = field(default_factory=dict)
    scores_at: datetime | None = None
    hand_offs: tuple[HandOff, ...] = ()
    loaded_at: datetime | None = None
    loaded_rows: int | None = None
    checked_at: datetime | None = None
    error: str | None = None
    error_at: datetime | None = None
    next_poll_at: datetime | None = None
    has_status: bool = True

    @property
    def last(self) -> Landed | None:
        """The last delivery."""
        return self.deliveries[-1] if self.deliveries else None

    @property
    def new(self) -> tuple[Landed, ...]:
        """The deliveries of new reports: full files would count reports twice."""
        return tuple(each for each in self.deliveries if each.download_type == "new")

    @property
    def status(self) -> Status:
        """The state of the campus. An error is worse than a delivery that is not recorded."""
        if self.error is not None:
            return Status.FAILED
        if self.pending_since is not None:
            return Status.PENDING
        if self.last is None:
            return Status.EMPTY
        return Status.RECORDED if self.last.recorded_at is not None else Status.LANDED


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a page.

    Attributes:
        made_at: When the report was made.
        since: The first moment of the deliveries in it.
        campuses: Sorted by code.
        has_state: Whether polls are known. They are in the state store of Airflow 3.3. None outside of Airflow: errors
            and polls are then left out.
    """

    made_at: datetime
    since: datetime
    campuses: tuple[Campus, ...]
    has_state: bool | None = True

    def needs_attention(self, campus: Campus) -> bool:
        """Whether a person should look at the campus."""
        late = any(due is not None and self.made_at - due > LATE for due in (campus.pending_since, campus.next_poll_at))
        return campus.error is not None or late or bool(campus.quarantined or campus.set_aside)
