"""The commit: telling College Board that a landed file has arrived, and noting it in the manifest."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_apscores.errors import CampusRefused, CredentialsRefused, RequestRefused

if TYPE_CHECKING:
    from airflow_provider_apscores.delivery import Delivery
    from airflow_provider_apscores.webservice import Client

log = logging.getLogger(__name__)


def record_delivery(client: Client, delivery: Delivery) -> Delivery:
    """
    Record a landed delivery, and note it in its manifest.

    When College Board declines, an earlier try may have recorded it just before it was killed (how a second record is
    answered is not documented). The proof is an order: if nothing is new, these reports are not new either.

    :raises RequestRefused: College Board declined, and has something new for this campus.
    """
    from airflow_provider_apscores.delivery import utc_now

    manifest = delivery.manifest
    try:
        client.record(manifest.download_id, manifest.file_format)
    except (CredentialsRefused, CampusRefused):
        raise
    except RequestRefused as refusal:
        if client.order(manifest.di_code, file_format=manifest.file_format) is not None:
            raise
        log.warning("%s But nothing is new for campus %s, so it is recorded already.", refusal, manifest.di_code)
    delivery = delivery.mark_recorded(utc_now())
    log.info("Recorded %s: College Board will not send these reports as new again.", delivery.uri)
    return delivery
