"""Whether the container's server is well; the exit code is 0 or 1.

Over HTTP, which LOSANT_MCP_HTTP=host:port switches on, it has to answer. Over stdio nobody but
the client can ask the server anything; there it is well while its process runs.
"""

import os
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path


def is_running(process: str) -> bool:
    """Whether the process is there, and neither dead (Z, X) nor stopped (T, t)."""
    try:
        state = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZXTt"


def answers(address: str) -> bool:
    """Whether the server that listens at this host and port, or on all hosts, says it is well."""
    port = address.rpartition(":")[2]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return True
    except (OSError, ValueError, HTTPException):
        return False


if __name__ == "__main__":
    address = os.environ.get("LOSANT_MCP_HTTP")
    well = answers(address) if address else is_running((sys.argv[1:] or ["1"])[0])
    sys.exit(0 if well else 1)
