"""What the tools that need a person's yes share."""

from __future__ import annotations

from typing import Annotated, NoReturn

from pydantic import Field

from losant_mcp.errors import Refused

ApprovalId = Annotated[str, Field(description="From an earlier approval_required answer")]


def not_yet(what: str) -> NoReturn:
    """Refuse: there is no way yet to ask a person. Raises Refused."""
    raise Refused(
        f"Cannot {what}: it needs a person's confirmation, which this version cannot ask for.",
        hint="A person can do it in Losant's own interface.",
    )
