"""How tools reach the guard: an operation with nothing left to interpretation, and a request."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.types import InputRequiredResult
from pydantic import Field

from losant_mcp.tools.call import Call

if TYPE_CHECKING:
    from losant_mcp.guard.carrying import Request
    from losant_mcp.guard.plans import Action

ApprovalId = Annotated[str, Field(description="From an earlier approval_required answer")]

Outcome = dict[str, Any] | InputRequiredResult


def request(
    call: Call, action: Action, application_id: str, target_id: str, **operation: Any
) -> Request:
    """What the guard is asked for. ``operation`` are the further fields of ``Operation``."""
    # The guard's modules load at the first call that needs them: a server that reads never pays.
    from losant_mcp.guard.carrying import Request
    from losant_mcp.guard.plans import Operation
    from losant_mcp.guard.ways import Client

    return Request(
        operation=Operation(
            action=action, application_id=application_id, target_id=target_id, **operation
        ),
        arguments=call.asked,
        approval_id=call.values.get("approvalId"),
        client=Client(call.context),
        progress=call.progress,
    )


async def destroy(
    call: Call, action: Action, application_id: str, target_id: str, **operation: Any
) -> Outcome:
    """Carry the operation out if a person says yes to it; else say what is needed."""
    guard = await call.services.guard.open()
    return await guard.gate.destroy(request(call, action, application_id, target_id, **operation))


async def overwrite(
    call: Call,
    action: Action,
    application_id: str,
    target_id: str,
    *,
    count: int = 1,
    ask: bool = False,
    **operation: Any,
) -> Outcome:
    """Change something, keeping how it was; a person is asked where ``ask`` says so, or once
    the hour's unasked changes are many.
    """
    guard = await call.services.guard.open()
    asked = request(call, action, application_id, target_id, **operation)
    return await guard.gate.overwrite(asked, count=count, ask=ask)


async def recorded(
    call: Call,
    action: str,
    application_id: str,
    *,
    target: str | None = None,
    meter: Literal["created_rows", "created_events"] | None = None,
    count: int = 1,
) -> AbstractAsyncContextManager[None]:
    """Around a write that nobody is asked about: its budget, and its lines in the audit."""
    guard = await call.services.guard.open()
    return guard.ledger.recorded(action, application_id, target=target, meter=meter, count=count)


def resumes(call: Call) -> bool:
    """Whether this call goes on with a plan that was made before."""
    return call.context.request_state is not None or "approvalId" in call.values
