"""What a person or a model may read and watch: ``losant://…``, each said by a tool as well.

``read`` is all that others need; ``listing`` is what is offered, ``watching`` tells what changed.
"""

from __future__ import annotations

from losant_mcp.resources.reading import Content, read

__all__ = ["Content", "read"]
