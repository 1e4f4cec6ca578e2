"""The Sphinx configuration: ``make docs``. The build downloads nothing."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from airflow_provider_apscores import __version__

# autodoc imports Airflow, which writes its settings on import: not into the user's home.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="apscores-docs-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

project = "airflow-provider-apscores"
author = "The airflow-provider-apscores developers"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"AP scores for Airflow {__version__}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the signature shows them
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# The copy button takes commands without their prompt, and not what they print.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True


def setup(app: Any) -> None:
    """Insert the reference of the command into its page."""
    sys.path.insert(0, str(Path(__file__).parent))
    from cli_reference import add_commands

    app.connect("source-read", add_commands)
