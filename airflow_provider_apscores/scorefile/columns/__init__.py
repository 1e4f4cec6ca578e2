"""From blocks of records (``block.py``) to typed Arrow columns, and to the rows of all tables (``batch.py``)."""
