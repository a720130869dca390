"""The tour's last steps: a table is emptied only when the person says so, and comes back."""

from __future__ import annotations

from losant_mcp.cli.tour import Tour, expect

TABLE = "parts"


async def be_stopped(tour: Tour) -> None:
    """Show that a model cannot delete on its own."""
    tour.screen.step("The model tries to empty a data table")
    tour.person.types = None
    outcome = await tour.call("truncate_rows", dataTableId=TABLE)
    expect(tour.person.asked == 1, "nobody was asked")
    expect(outcome["status"] == "cancelled", "a deletion was not stopped")
    tour.screen.result(outcome["message"])
    expect(await count(tour) > 0, "rows are gone")


async def agree(tour: Tour) -> None:
    """Show what happens once the person agrees, by typing the table's name."""
    tour.screen.step("It tries again, and this time you agree")
    tour.person.types = TABLE
    outcome = await tour.call("truncate_rows", dataTableId=TABLE)
    expect(outcome["status"] == "done", "the agreed deletion did not run")
    tour.screen.result(outcome["message"])
    tour.backup_id = outcome["backupId"]
    expect(await count(tour) == 0, "rows are left")


async def bring_back(tour: Tour) -> None:
    """Show that what was deleted can be restored."""
    tour.screen.step("That was a mistake: bring it back")
    tour.person.types = TABLE
    outcome = await tour.call("restore_backup", backupId=tour.backup_id)
    expect(outcome["status"] == "done", "the backup was not restored")
    tour.screen.result(outcome["message"])
    expect(await count(tour) == 300, "rows are missing")


async def count(tour: Tour) -> int:
    """How many rows the table has, shown."""
    found = await tour.call("query_rows", dataTableId=TABLE, query={}, countOnly=True)
    tour.screen.result(f"{TABLE} has {found['total']} rows.")
    total: int = found["total"]
    return total
