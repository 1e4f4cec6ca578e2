"""Operators: download score files, parse them, record downloads, reconcile."""
