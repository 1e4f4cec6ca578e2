"""From bytes (``source.py``) to blocks of records (``txt.py``, ``csv.py``) that are aligned (``alignment.py``)."""
