"""``python -m losant_mcp``: the command line, also where no script folder is on the path."""

from __future__ import annotations

from losant_mcp.cli import main

main()
