"""Deliver score files without loss: landing, manifests, the ledger.

This package checks score files and stores them. It knows nothing about the web service or about Airflow.
"""

from airflow_provider_apscores.delivery.checked_file import CheckedFile
from airflow_provider_apscores.delivery.hand_off import HandOff, Receipt
from airflow_provider_apscores.delivery.landed_files import LandedFiles
from airflow_provider_apscores.delivery.landing import Incoming, Landing, Run, run_slug, utc_now
from airflow_provider_apscores.delivery.ledger import APScoresLedger
from airflow_provider_apscores.delivery.manifest import Delivery, Manifest, open_delivery
from airflow_provider_apscores.delivery.retention import Purge, reporting_year_start

__all__ = [
    "APScoresLedger",
    "CheckedFile",
    "Delivery",
    "HandOff",
    "Incoming",
    "LandedFiles",
    "Landing",
    "Manifest",
    "Purge",
    "Receipt",
    "Run",
    "open_delivery",
    "reporting_year_start",
    "run_slug",
    "utc_now",
]
