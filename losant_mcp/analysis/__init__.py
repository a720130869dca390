"""Answers that need more than one request: digests of events, SQL over tables, profiles, charts."""
