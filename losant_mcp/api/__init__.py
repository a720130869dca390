"""What Losant says: its endpoints, bodies, responses and query grammar, as data.

No I/O and no MCP here, so that the client and the sandbox, which never meet, can share it.
"""
