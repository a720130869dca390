"""Tools for what keeps data safe: the backups, their restoration, and the server's own state."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from losant_mcp import __version__
from losant_mcp.api.endpoints import (
    APPLICATION_GET,
    DATA_TABLE_ADD_COLUMN,
    DATA_TABLE_GET,
    DATA_TABLE_PATCH,
    DATA_TABLE_ROW_GET,
    DATA_TABLE_ROW_PATCH,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_POST,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLES_GET,
    DATA_TABLES_POST,
    EVENT_GET,
    EVENT_PATCH,
    EVENTS_GET,
    EVENTS_POST,
)
from losant_mcp.errors import LosantMcpError, describe
from losant_mcp.text import one_line
from losant_mcp.tools import paging
from losant_mcp.tools.arguments import ApplicationId
from losant_mcp.tools.availability import why_not
from losant_mcp.tools.call import Call
from losant_mcp.tools.guarded import ApprovalId, Outcome, overwrite
from losant_mcp.tools.spec import LISTING, OUTCOME, TOOLS, tool

BACKUP_COLUMNS = ["backupId", "created", "action", "kind", "target", "targetId", "count", "notes"]


@tool("safety", title="List backups", output=LISTING)
async def list_backups(
    call: Call,
    *,
    applicationId: ApplicationId,
    offset: Annotated[int, Field(ge=0)] = 0,
) -> dict[str, Any]:
    """List what was backed up before it was deleted or changed here, newest first."""
    guard = await call.services.guard.open()
    binding = guard.ledger.binding
    found = await guard.backups.list(binding.principal, binding.api_url, applicationId)
    items = [
        {
            "backupId": manifest.id,
            "created": manifest.created,
            "action": manifest.action,
            "kind": manifest.kind,
            "target": manifest.column or (manifest.table.name if manifest.table else "events"),
            "targetId": manifest.table.id if manifest.table else None,
            "count": manifest.count,
            "notes": "; ".join(manifest.notes),
        }
        for manifest in found[offset:]
    ]
    return call.listing(
        BACKUP_COLUMNS,
        items,
        total=len(found),
        paging=paging.offsets(call.arguments, offset=offset, total=len(found)),
        hint="" if items else "Nothing was deleted or changed here yet.",
    )


@tool(
    "safety",
    APPLICATION_GET,
    EVENTS_GET,
    EVENTS_POST,
    EVENT_GET,
    EVENT_PATCH,
    DATA_TABLES_GET,
    DATA_TABLES_POST,
    DATA_TABLE_GET,
    DATA_TABLE_PATCH,
    DATA_TABLE_ADD_COLUMN,
    DATA_TABLE_ROWS_GET,
    DATA_TABLE_ROWS_QUERY,
    DATA_TABLE_ROWS_POST,
    DATA_TABLE_ROW_GET,
    DATA_TABLE_ROW_PATCH,
    title="Restore a backup",
    output=OUTCOME,
)
async def restore_backup(
    call: Call,
    *,
    applicationId: ApplicationId,
    backupId: Annotated[str, Field(description="From list_backups")],
    approvalId: ApprovalId | None = None,
) -> Outcome:
    """Bring back what a backup holds; again is safe. Ids and dates are new, history is lost."""
    guard = await call.services.guard.open()
    binding = guard.ledger.binding
    manifest = await guard.backups.get(
        backupId.strip(),
        principal=binding.principal,
        api_url=binding.api_url,
        application_id=applicationId,
    )
    return await overwrite(
        call,
        "restore_backup",
        applicationId,
        manifest.id,
        parent_id=manifest.table.id if manifest.table else None,
        count=manifest.count,
        ask=not manifest.is_of_one_object,
    )


@tool("safety", title="Get the server's status")
async def get_server_status(call: Call) -> dict[str, Any]:
    """Tell which tools are off and why, how a person can be asked, what waits, and budgets."""
    settings = call.settings
    off = {name: why for name, spec in TOOLS.items() if (why := why_not(spec, settings))}
    status: dict[str, Any] = {
        "version": __version__,
        "api": settings.api_url,
        "application": call.bound_to or "not bound: every call names its application",
        "access": settings.access,
        "toolsets": list(settings.toolsets),
        "toolsOff": off,
        "confirmation": _confirmation(call),
        **({"hosting": dict(hosting)} if (hosting := call.services.hosting) else {}),
    }
    if settings.access == "read":
        return status
    try:
        guard = await call.services.guard.open()
        status |= await _waiting(guard, call.bound_to)
        await guard.backups.check()
    except LosantMcpError as error:
        status["guard"] = f"cannot be used: {describe(error)}"
    return status


def _confirmation(call: Call) -> dict[str, str]:
    """Who is asked, and how this very client can be."""
    from losant_mcp.guard.gate import asks_by_form
    from losant_mcp.guard.ways import Client

    settings = call.settings
    modes = {
        "human": "a person must say yes",
        "preview": "nobody is asked: a second call with the approvalId is the yes",
        "block": "nothing can be confirmed, so nothing is destroyed",
    }
    form = Client(call.context).can_be_asked and asks_by_form(settings)
    elsewhere = call.services.hosting.get("approver", "the approval page, or losant-mcp approve")
    way = "a form in this client" if form else elsewhere
    told = {"mode": settings.confirm, "meaning": modes[settings.confirm]}
    return told if settings.confirm != "human" else {**told, "asksBy": way}


async def _waiting(guard: Any, application_id: str | None) -> dict[str, Any]:
    """What waits for an answer, and what is left of the hour's budgets."""
    ledger = guard.ledger
    pending = await ledger.store.pending_plans(ledger.binding.principal)
    told: dict[str, Any] = {
        "pendingApprovals": [
            {
                "approvalId": plan.id,
                "what": plan.verb,
                "target": one_line(plan.target.name, 60),
                "status": plan.status,
            }
            for plan in pending
        ]
    }
    if application_id is not None:
        limits = ledger.limits
        told["leftThisHour"] = {
            meter: limit - await ledger.store.spent(meter, ledger.binding.principal, application_id)
            for meter, limit in (
                ("destroyed", limits.destroyed),
                ("overwritten", limits.overwritten),
                ("created_rows", limits.created_rows),
                ("created_events", limits.created_events),
            )
        }
    return told
