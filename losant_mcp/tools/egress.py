"""The arguments by which data or a notice leaves the platform."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Email = Annotated[str, Field(description="Notify when done; only allow-listed domains")]
CallbackUrl = Annotated[str, Field(description="Posted to when done; only allow-listed URLs")]
