"""Airflow's way to the web service."""
