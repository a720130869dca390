"""The person beside the demo's client: is shown the server's question, and answers it.

A client of your own shows you the form; here the demo reads it out and says what was answered.
"""

from __future__ import annotations

from typing import Any

from mcp.types import (
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
)

from losant_mcp.cli.screen import Screen


class Person:
    """Types what it is told to into the next form; by default it closes the form."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.types: str | None = None
        """What the person will type; None closes the form."""
        self.asked = 0
        """How often the person was asked."""

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        """Show the question and give the answer."""
        self.asked += 1
        assert isinstance(params, ElicitRequestFormParams), "the server asks by form only"
        self._screen.say(f"The server asks you: {params.message}")
        if self.types is None:
            self._screen.result("You close the form.", good=False)
            return ElicitResult(action="cancel")
        [field] = params.requested_schema["properties"]
        self._screen.result(f"You type: {self.types}")
        return ElicitResult(action="accept", content={field: self.types})
