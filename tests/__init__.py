"""Tests of losant_mcp; the folders mirror the package."""
