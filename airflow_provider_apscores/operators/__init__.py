"""Tasks: download score files, parse them, record downloads."""
