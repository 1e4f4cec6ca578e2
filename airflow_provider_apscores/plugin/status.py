"""One campus of the page, from its asset events and its stored status.

The values were written by tasks, perhaps of another version. What is missing or has another form is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from airflow_provider_apscores.report import Campus, HandOff, Landed

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LandedEvent:
    """An event of a landed file.

    Attributes:
        landed_at: When it landed.
        records: Its student records.
        download_type: ``new`` or ``full``.
        download_id: College Board's number of the download.
    """

    #: Their names in the extra of the event.
    KEYS: ClassVar = ("landed_at", "records", "download_type", "download_id")

    landed_at: datetime
    records: int
    download_type: str
    download_id: str

    @classmethod
    def read(cls, landed_at: str | None, records: str | None, kind: str | None, number: str | None) -> Self | None:
        """Return the event with these texts; None if it has no time."""
        at = _time(landed_at)
        return None if at is None else cls(at, int(records or 0), kind or "new", number or "")


def campus_report(
    di_code: str,
    *,
    landed: Sequence[LandedEvent],
    recorded: Values,
    tables: Values,
    scores: Values,
    status: Values | None,
    polls: Sequence[Values],
) -> Campus:
    """Return a campus of the page.

    Args:
        di_code: The campus.
        landed: Its ``files`` events, oldest first.
        recorded: The extra of its last ``recorded`` event.
        tables: That of its last ``tables`` event.
        scores: That of its last ``tables`` event with score counts.
        status: Its status in the state store. None without a store or an entry.
        polls: The states of its watchers.
    """
    known = status or {}
    deliveries = _deliveries(landed, recorded)
    last = deliveries[-1] if deliveries else None
    if last is None and (at := _time(known.get("landed_at"))) is not None:
        # Its event is older than the history of the page, or was deleted by ``airflow db clean``.
        last = Landed(
            at,
            _count(known.get("records")) or 0,
            str(known.get("download_type") or "new"),
            _time(known.get("recorded_at")),
        )
        deliveries = [last]
    published, scores_at = _scores(known, scores)
    error, error_at = _error([*_dict(known.get("errors")).values(), *(each.get("last_error") for each in polls)])
    return Campus(
        di_code,
        tuple(deliveries),
        pending_since=_time(known["pending_since"]) if "pending_since" in known else _pending(deliveries),
        problems=_count(known.get("problems", tables.get("problems"))),
        quarantined=_count(known.get("quarantined", tables.get("quarantined"))),
        statuses=_counts(known.get("statuses") or tables.get("statuses")),
        scores=published,
        scores_at=scores_at,
        hand_offs=tuple(_hand_offs(known.get("hand_offs"))),
        loaded_at=_time(_dict(known.get("loads")).get("at")),
        loaded_rows=_count(_dict(known.get("loads")).get("rows")),
        error=error,
        error_at=error_at,
        checked_at=max((at for each in (known, *polls) if (at := _time(each.get("checked_at")))), default=None),
        next_poll_at=min((at for each in polls if (at := _time(each.get("next_poll_at")))), default=None),
        has_status=status is not None,
    )


def _deliveries(landed: Sequence[LandedEvent], recorded: Values) -> list[Landed]:
    """The deliveries, each once: a task that is cleared, or has two outlets, emits its event again.

    The last record tells which delivery is recorded. It passes all reports that landed before.
    """
    found: dict[Any, Landed] = {}
    for event in landed:
        is_recorded = event.download_id == recorded.get("download_id")
        recorded_at = _time(recorded.get("recorded_at")) if is_recorded else None
        key = (event.landed_at, event.download_id)
        found[key] = Landed(event.landed_at, event.records, event.download_type, recorded_at)
    return sorted(found.values(), key=lambda each: each.at)


def _pending(deliveries: Sequence[Landed]) -> datetime | None:
    """When the first delivery of new reports landed that no record has passed."""
    since = None
    for each in deliveries:
        if each.download_type == "new":
            since = None if each.recorded_at is not None else since or each.at
    return since


def _scores(known: Values, scores: Values) -> tuple[dict[str, dict[str, int | None]], datetime | None]:
    """The published score counts and when their file landed."""
    if published := _published(known.get("score_counts")):
        return published, _time(known.get("scores_at"))
    return _published(scores.get("score_counts")), scores.get("at")


def _published(value: Any) -> dict[str, dict[str, int | None]]:
    return {
        str(exam): {str(score): _count(count) for score, count in _dict(cells).items()}
        for exam, cells in _dict(value).items()
    }


def _error(errors: Iterable[Any]) -> tuple[str | None, datetime | None]:
    """The class and the time of the latest error of tasks and watchers. Their next success removes it."""
    known = [
        (at, str(each["class"])) for each in map(_dict, errors) if each.get("class") and (at := _time(each.get("at")))
    ]
    at, error = max(known, default=(None, None))
    return error, at


def _hand_offs(value: Any) -> Iterable[HandOff]:
    for consumer, each in sorted(_dict(value).items()):
        if at := _time(_dict(each).get("at")):
            yield HandOff(str(consumer), at, _count(each.get("records")))


def _counts(value: Any) -> dict[str, int]:
    return {str(name): number for name, each in _dict(value).items() if (number := _count(each)) is not None}


def _dict(value: Any) -> Values:
    """A mapping, or the mapping in a JSON text; empty for anything else."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
