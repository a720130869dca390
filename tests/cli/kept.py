"""A state folder beside the served demo, with backups in it as a server makes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from losant_mcp.api.tables import DataTable
from losant_mcp.client import LosantClient
from losant_mcp.guard.assembly import principal_of
from losant_mcp.guard.audit import AuditLog
from losant_mcp.guard.audit_lines import AuditLine
from losant_mcp.guard.backup_manifest import BackupKind, Manifest
from losant_mcp.guard.sqlite_store import SqliteStore
from losant_mcp.guard.state_dir import StateDir, open_state_dir
from tests.guard.backing_up import Items, backups_in
from tests.guard.restoring import Case
from tests.served import Sandbox


class Kept:
    """What a server left in its state folder, and what Losant has now."""

    def __init__(self, client: LosantClient, sandbox: Sandbox, base: Path) -> None:
        self.sandbox = sandbox
        self.state: StateDir = open_state_dir(base, sandbox.url)
        self.case = Case(client, sandbox, backups_in(self.state.backups))
        self.principal = principal_of(SecretStr(sandbox.tokens["full"]))

    async def keep(
        self,
        kind: BackupKind,
        items: Items,
        *,
        days: int = 0,
        key: bytes | None = None,
        **given: Any,
    ) -> Manifest:
        """A backup of this token's, made so many days ago."""
        at = datetime.now(UTC) - timedelta(days=days)
        self.case.backups = backups_in(self.state.backups, clock=lambda: at, key=key)
        return await self.case.back_up(kind, items, **{"principal": self.principal, **given})

    async def truncated(self, name: str, **given: Any) -> tuple[DataTable, Manifest]:
        """A table that was backed up and emptied."""
        table = await self.case.table(name)
        manifest = await self.keep("rows", await self.case.rows(table), table=table, **given)
        await self.case.client.data_table_rows_truncate(**self.case.at, dataTableId=table.id)
        return table, manifest

    async def cells(self, table: DataTable) -> list[Mapping[str, Any]]:
        """The rows of a table, without what Losant sets itself."""
        own = ("id", "createdAt", "updatedAt")
        rows = await self.case.rows(table)
        return [{name: cell for name, cell in row.items() if name not in own} for row in rows]

    def audit(self) -> AuditLog:
        """The audit trail."""
        head = self.state.keys / "audit-head"
        return AuditLog(self.state.audit, key=self.state.key("audit"), head_path=head)

    def audited(self) -> list[AuditLine]:
        """Every line of the audit, which is whole."""
        assert self.audit().verify().ok
        return list(self.audit().read(1000))

    def store(self) -> SqliteStore:
        """The guard's memory; close it."""
        return SqliteStore(self.state.database, key=self.state.key())
