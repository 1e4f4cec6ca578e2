"""Deliver score files without loss. Nothing here knows the web service or Airflow.

* ``landing.py`` stores a file that ``checked_file.py`` checks on its way, with its ``manifest.py``.
* ``ledger.py`` reads all manifests under a destination; ``landed_files.py`` opens their score files.
* ``hand_off.py`` gives a file to a consumer, once; ``retention.py`` deletes files after their time.
"""

from airflow_provider_apscores.delivery.checked_file import CheckedFile
from airflow_provider_apscores.delivery.hand_off import HandOff, Receipt
from airflow_provider_apscores.delivery.landed_files import LandedFiles
from airflow_provider_apscores.delivery.landing import Incoming, Landing, Run, run_slug, utc_now
from airflow_provider_apscores.delivery.ledger import APScoresLedger, LedgerSnapshot
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
    "LedgerSnapshot",
    "Manifest",
    "Purge",
    "Receipt",
    "Run",
    "open_delivery",
    "reporting_year_start",
    "run_slug",
    "utc_now",
]
