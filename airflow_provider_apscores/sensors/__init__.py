"""Waiting for new score reports."""
