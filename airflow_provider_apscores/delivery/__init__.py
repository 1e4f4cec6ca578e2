"""How a score file lands without loss: manifests, landing, ledger.

Knows what is in a score file as far as checking it needs, and where files are kept; knows neither how to talk to
College Board nor how Airflow works.
"""

from airflow_provider_apscores.delivery.checking import CheckedFile
from airflow_provider_apscores.delivery.landed import LandedFiles
from airflow_provider_apscores.delivery.landing import Incoming, Landing, Run, run_slug, utc_now
from airflow_provider_apscores.delivery.ledger import APScoresLedger
from airflow_provider_apscores.delivery.manifest import Delivery, Manifest, open_delivery

__all__ = [
    "APScoresLedger",
    "CheckedFile",
    "Delivery",
    "Incoming",
    "LandedFiles",
    "Landing",
    "Manifest",
    "Run",
    "open_delivery",
    "run_slug",
    "utc_now",
]
