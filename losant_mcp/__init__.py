"""A Model Context Protocol server for Losant's Events, Data Tables and Data APIs.

Importing the package costs nothing: it loads no dependency and no other module, so that
asking for the version, or importing one layer, never pays for the rest. The layers and the
one direction in which they may import each other are held by `tests/test_import_arrows.py`.
"""

__version__ = "0.1.0"
