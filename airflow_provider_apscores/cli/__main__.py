"""``python -m airflow_provider_apscores.cli``: the ``apscores`` command where its script is not on the path."""

from __future__ import annotations

import sys

from airflow_provider_apscores.cli import main

if __name__ == "__main__":
    sys.exit(main())
