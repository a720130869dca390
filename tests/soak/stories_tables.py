"""A table's life: made, filled, asked about, watched, and destroyed as far as a person lets."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from itertools import count

from tests.soak.person import Failed, Person

_numbers = count(1)

COLUMNS = [
    {"name": "tank", "dataType": "string", "constraint": "required"},
    {"name": "level", "dataType": "number", "constraint": "optional"},
]


async def keep_a_table(person: Person) -> None:
    """A table is made, or found again; written, read by SQL, thinned out, restored, deleted."""
    async with person.turn:
        if person.table is None:
            name = f"soak {next(_numbers)}"
            made = await person.ask("create_data_table", name=name, columns=COLUMNS)
            person.table = str(made["dataTable"]["id"])
        table = {"dataTableId": person.table}
        sql = f'SELECT count(*) AS n, avg(level) AS level FROM "{person.table}"'
        rows = [{"tank": f"tank {number}", "level": number} for number in range(40)]
        await person.ask("insert_rows", **table, rows=rows)
        await person.ask("query_sql", sql=sql)
        await person.ask("insert_rows", **table, rows=rows[:5])
        # What was loaded is true no more, since we wrote.
        await person.ask("query_sql", sql=sql)
        page = await person.ask("list_rows", **table, limit=2)
        first, second = (row[page["columns"].index("id")] for row in page["rows"])
        await person.ask("update_row", **table, rowId=first, row={"level": 7})
        await person.destroy("delete_row", "agree", **table, rowId=second)
        low = {"level": {"$lt": person.chance.randint(10, 30)}}
        reply = next(person.replies)
        gone = await person.destroy("delete_rows", reply, **table, query=low)
        if gone is not None and gone.get("backupId"):
            await person.destroy("restore_backup", "agree", backupId=gone["backupId"])
        await person.ask("list_backups")
        await person.destroy("truncate_rows", next(person.replies), **table)
        if await person.destroy("delete_data_table", "agree", **table) is not None:
            person.table = None


async def watch_a_table(person: Person) -> None:
    """A resource is subscribed to, and given up with or without a word."""
    client, uris = person.client, ["losant://data-tables", "losant://events/new"]
    async with AsyncExitStack() as stack:
        if person.mode == "auto":
            listening = client.listen(resource_subscriptions=uris)
            await person.see("subscribe", stack.enter_async_context(listening))
        else:
            for uri in uris:
                await person.see("subscribe", client.subscribe_resource(uri))
        with suppress(Failed):  # inside, since what listens wraps what goes through it
            await person.ask("list_data_tables")
        if person.mode == "legacy":
            await person.see("unsubscribe", client.unsubscribe_resource(uris[0]))
