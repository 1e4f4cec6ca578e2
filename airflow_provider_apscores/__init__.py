"""Apache Airflow provider for the College Board's AP Higher Education score reports.

This module imports nothing, so that ``webservice`` and ``scorefile`` can be used without Airflow and
Airflow can read :mod:`~airflow_provider_apscores.get_provider_info` for nothing.
"""

__version__ = "0.1.0"
