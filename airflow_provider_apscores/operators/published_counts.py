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

#: Beside the runs of a campus: the name of the manifest whose counts were published last.
LAST_PUBLISHED = ".score_counts"


def published_score_counts(tally: ExamScoreTally, delivery: Delivery | None) -> dict[str, dict[str, Any]]:
    """
    Return the score counts of a delivery that may be published, with small ones suppressed.

    Two deliveries of the same reports, one of which has those of one more student, would tell that student's scores by
    their difference. So the result is empty unless no student report of the delivery was counted before: it is a
    ``new`` one, and the delivery that was published before it was recorded before it landed.

    :param tally: the counts of all exam scores of the delivery.
    :param delivery: the delivery, or None for a file without a manifest.
    """
    from airflow_provider_apscores.errors import APScoresError
    from airflow_provider_apscores.scores.score_counts import suppress

    if delivery is None or delivery.manifest.download_type != "new":
        return {}
    try:
        first_time = _is_first_time(delivery)
    except APScoresError as error:
        log.warning("The score counts are not published: %s", error)
        return {}
    return suppress(tally.scores) if first_time else {}


def _is_first_time(delivery: Delivery) -> bool:
    """Whether no report of a delivery was counted in another one. If so, it becomes the last published one."""
    from airflow_provider_apscores.delivery import open_delivery
    from airflow_provider_apscores.errors import DeliveryDamaged
    from airflow_provider_apscores.storage import folder

    path = airflow_path(delivery.manifest_uri, "source")
    campus, name = path.parent.parent, f"{path.parent.name}/{path.name}"
    last = (folder(campus).read(LAST_PUBLISHED) or b"").decode("utf-8", "replace")
    # A mark that was cut by a full disk names nothing.
    if re.fullmatch(rf"[^/\0]+/[^/\0]+{re.escape(MANIFEST)}", last):
        with suppress_errors(DeliveryDamaged):  # its manifest is gone
            earlier = open_delivery(campus / last).manifest
            recorded = earlier.recorded_time
            if earlier.sha256 != delivery.manifest.sha256 and (
                recorded is None or recorded > delivery.manifest.landed_time
            ):
                return False
    folder(campus).write(LAST_PUBLISHED, name.encode())
    return True
