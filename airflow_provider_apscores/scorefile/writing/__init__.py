"""From Arrow tables to files: Parquet, CSV and JSON Lines, and score files for tests."""
