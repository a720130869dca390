"""A Losant that fits in a file: Starlette over SQLite, for the demo, for tests, and for play.

It shares ``api`` with the client and nothing else, so that a mistake in one is seen by the other.
"""
