"""One server for many people, over HTTP.

A request comes in at the ``door``, which holds its headers against what is allowed, asks
``callers`` whose it is, and hands it to that caller's own MCP server, which ``tenants`` keeps.
"""
