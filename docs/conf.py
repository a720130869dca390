"""How the documentation is built: ``make docs``."""

from __future__ import annotations

from losant_mcp import __version__

project = "losant-mcp"
author = "losant-mcp contributors"
copyright = author
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["build"]
myst_heading_anchors = 3
# The README's links and the changelog's lead out of this folder, to files of the repository.
suppress_warnings = ["myst.xref_missing"]

html_theme = "furo"
html_title = f"losant-mcp {version}"
html_show_sphinx = False
