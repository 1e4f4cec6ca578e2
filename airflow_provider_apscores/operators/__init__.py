"""Operators, one module for each.

* ``download.py`` lands a score file and records it; ``record.py`` records later.
* ``parse.py`` makes tables of it; ``load.py`` and ``current_state.py`` take the tables on.
* ``hand_off.py`` gives the file to a consumer, ``purge.py`` deletes it after its time, and ``reconcile.py`` proves that
  nothing was lost.

They share ``arguments.py`` (booleans and numbers), ``references.py`` (URIs, paths, downloads), ``lineage.py`` (asset
events), ``records_downloads.py`` (the commit) and ``shared_folders.py`` (folders that other workers may not see).
"""
