"""From bytes to blocks of records: the source, the format, TXT, CSV, and whether a record is aligned."""
