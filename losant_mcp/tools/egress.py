"""The arguments by which data or a notice leaves the platform."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from losant_mcp.api.endpoints import EVENTS_PATCH
from losant_mcp.errors import Refused
from losant_mcp.policy import Refusal
from losant_mcp.tools.call import Call

Email = Annotated[str, Field(description="Notify when done; only allow-listed domains")]
CallbackUrl = Annotated[str, Field(description="Posted to when done; only allow-listed URLs")]


def notified(
    call: Call, application_id: str, email: str | None, callback_url: str | None
) -> dict[str, str]:
    """The parameters by which Losant tells somebody that a job has ended.

    Raises Refused here, and not only when the request is sent: nobody should be asked to agree
    to what may not go.
    """
    chosen = {k: v for k, v in (("email", email), ("callbackUrl", callback_url)) if v is not None}
    path = {"applicationId": application_id}
    verdict = call.client.policy.check(EVENTS_PATCH, path, params=chosen)
    if isinstance(verdict, Refusal):
        raise Refused(f"{verdict.reason}.", hint=verdict.how_to_allow)
    return chosen
