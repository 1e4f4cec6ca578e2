"""Decide whether the score counts of a delivery may be published."""

from __future__ import annotations

import logging
import re
from contextlib import suppress as suppress_errors
from typing import TYPE_CHECKING, Any

from airflow_provider_apscores.operators.references import MANIFEST, airflow_path

if TYPE_CHECKING:
    from airflow_provider_apscores.delivery import Delivery
    from airflow_provider_apscores.scores.score_counts import ExamScoreTally

log = logging.getLogger(__name__)

#: Beside the runs of a campus: the name of the last manifest that was parsed, and whether its counts were published.
LAST_COUNTED = ".score_counts"


def published_score_counts(tally: ExamScoreTally, delivery: Delivery | None) -> dict[str, dict[str, Any]]:
    """
    Return the score counts of a delivery that may be published, with small ones suppressed.

    Two deliveries of the same reports, one of which has those of one more student, would tell that student's scores by
    their difference. So the result is empty unless the delivery has no report of an earlier one: it is a ``new`` one,
    and the one before was recorded before it landed.

    :param tally: the counts of all exam scores of the delivery.
    :param delivery: the delivery, or None for a file without a manifest.
    """
    from airflow_provider_apscores.errors import APScoresError
    from airflow_provider_apscores.scores.score_counts import suppress

    if delivery is None or delivery.manifest.download_type != "new":
        return {}
    try:
        may_publish = _may_publish(delivery)
    except APScoresError as error:
        log.warning("The score counts are not published: %s", error)
        return {}
    return suppress(tally.scores) if may_publish else {}


def _may_publish(delivery: Delivery) -> bool:
    """Compare a delivery with the last one that was counted, and note the later of them."""
    from airflow_provider_apscores.delivery import open_delivery
    from airflow_provider_apscores.errors import DeliveryDamaged
    from airflow_provider_apscores.storage import folder

    manifest, publish = delivery.manifest, True
    path = airflow_path(delivery.manifest_uri, "source")
    campus = path.parent.parent
    noted = (folder(campus).read(LAST_COUNTED) or b"").decode("utf-8", "replace")
    # A note that was cut by a full disk names nothing.
    last = re.fullmatch(rf"([^/\0\n]+/[^/\0\n]+{re.escape(MANIFEST)})\n(published|withheld)\n", noted)
    if last is not None:
        with suppress_errors(DeliveryDamaged):  # its manifest is gone
            earlier = open_delivery(campus / last[1]).manifest
            if earlier.sha256 == manifest.sha256:
                return last[2] == "published"
            if manifest.landed_time < earlier.landed_time:
                return False  # an old file that is parsed again
            publish = not manifest.may_repeat(earlier)
    note = f"{path.parent.name}/{path.name}\n{'published' if publish else 'withheld'}\n"
    folder(campus).write(LAST_COUNTED, note.encode())
    return publish
