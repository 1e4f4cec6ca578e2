"""The asynchronous side of waiting: what runs in the triggerer."""
