"""What the bundle starts: the server over stdio, or with ``--sandbox=true`` on the sandbox."""

import sys

from losant_mcp.cli import main

sys.argv[1:] = ["serve", "--sandbox"] if "--sandbox=true" in sys.argv[1:] else ["serve"]
main()
