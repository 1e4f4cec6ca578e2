"""Operators, one module for each.

* ``download.py`` lands a score file and records it; ``record.py`` records later.
* ``parse.py`` makes tables of it; ``load.py`` and ``current_state.py`` take the tables on.
* ``hand_off.py`` gives the file to a consumer, ``purge.py`` deletes it after its time, and ``reconcile.py`` proves that
  nothing was lost.

``base.py`` is their base class: it labels mapped tasks, adds ``links.py``, and reports ``lineage.py`` (OpenLineage) and
``status.py`` (the current status of each campus). ``events.py`` says what a task did: in asset events, lineage, status
and metrics.

They share ``arguments.py`` (booleans and numbers), ``references.py`` (URIs, paths, downloads), ``records_downloads.py``
(the commit) and ``shared_folders.py`` (folders that other workers may not see).
"""
