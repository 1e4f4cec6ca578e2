"""Hooks: Airflow connections to clients of the web service and the mailbox."""
