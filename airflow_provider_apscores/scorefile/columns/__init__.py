"""From blocks of records to typed Arrow columns: students, exam slots, dates and look-ups."""
