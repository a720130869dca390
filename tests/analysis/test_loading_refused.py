"""Who may see what is loaded, and what is said where a table cannot be loaded."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from losant_mcp.analysis.desk import Desk
from losant_mcp.analysis.workbench import Workbench
from losant_mcp.api.tables import DataTableRows
from losant_mcp.client import LosantClient
from losant_mcp.errors import BadResponse, InvalidRequest, LosantMcpError, Refused, describe
from losant_mcp.policy import Policy
from tests.analysis.stored_tables import ROWS, SQL, Watched, pages_read, store_table, until
from tests.served import Sandbox

SITES = "SELECT count(*) FROM sites"

# ---- who may see what ----------------------------------------------------------------------


async def test_two_principals_share_nothing(
    sandbox: Sandbox, workbench: Workbench, readings: str
) -> None:
    """Each token has a child of its own and reads for itself."""
    pids = set()
    for name in ("full", "application", "full"):
        async with LosantClient(SecretStr(sandbox.tokens[name]), base_url=sandbox.url) as client:
            await workbench.query(client, sandbox.application_id, SQL)
        pids |= {desk.child.pid for desk in workbench._desks.values()}
    assert len(workbench._desks) == len(pids) == 2
    assert pages_read(sandbox, readings) == 8


async def test_children_of_many_principals_make_room(sandbox: Sandbox, readings: str) -> None:
    """No more children are kept than there may be; the longest unused ends."""
    async with Workbench(most_children=1) as workbench:
        for name in ("full", "application"):
            async with LosantClient(SecretStr(sandbox.tokens[name]), base_url=sandbox.url) as one:
                answer = await workbench.query(one, sandbox.application_id, SQL)
                assert answer.rows[0][0] == ROWS
        assert len(workbench._desks) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM readings",
        "SELECT * FROM READINGS",
        'SELECT * FROM "{id}"',
        "SELECT * FROM sites JOIN readings ON true",
        "WITH x AS (SELECT * FROM readings) SELECT 1",
        "SELECT (SELECT count(*) FROM readings)",
        "DESCRIBE readings",
    ],
)
async def test_a_denied_table_is_refused_though_it_lies_loaded(
    sql: str, losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """The list holds by every way to name a table, also where the same token loaded it before."""
    await workbench.query(losant, sandbox.application_id, SQL)
    policy = Policy(denied_tables=frozenset({readings}))
    token = SecretStr(sandbox.tokens["full"])
    async with LosantClient(token, base_url=sandbox.url, policy=policy) as denied:
        with pytest.raises(Refused, match="never touched"):
            await workbench.query(denied, sandbox.application_id, sql.format(id=readings))
        answer = await workbench.query(denied, sandbox.application_id, "SELECT count(*) FROM sites")
    assert answer.rows == [[20]]


async def test_binding_holds(workbench: Workbench, sandbox: Sandbox) -> None:
    """A client that is bound to one application asks SQL of no other."""
    policy = Policy(application_id="0" * 24)
    token = SecretStr(sandbox.tokens["full"])
    async with LosantClient(token, base_url=sandbox.url, policy=policy) as bound:
        for sql in ("SELECT * FROM sites", "SELECT * FROM events", "SELECT * FROM devices"):
            with pytest.raises(Refused, match="bound to one application"):
                await workbench.query(bound, sandbox.application_id, sql)


# ---- when it cannot ------------------------------------------------------------------------


async def test_a_table_that_is_too_large_says_what_to_do(
    losant: LosantClient, sandbox: Sandbox, readings: str
) -> None:
    """Nothing is read; the error says how many rows there are and how to have fewer."""
    async with Workbench(max_rows=1000) as workbench:
        with pytest.raises(InvalidRequest) as caught:
            await workbench.query(losant, sandbox.application_id, SQL)
        assert describe(caught.value) == (
            "'readings' has 3,500 rows here; one load may fetch 1,000 (LOSANT_MCP_MAX_ROWS)."
            ' Narrow it at Losant: prefilter {"readings": {"createdAt": {"$gte": "-7d"}}},'
            " or by another column: n, c0, c1, c2, c3, c4."
        )
        assert pages_read(sandbox, readings) == 0
        answer = await workbench.query(
            losant,
            sandbox.application_id,
            "SELECT count(*), min(n) FROM readings",
            prefilter={"readings": {"n": {"$gt": 3000}}},
        )
    assert answer.rows == [[500, 3001]]
    assert answer.scanned == {"readings": 500}


async def test_a_table_without_room_says_so(sandbox: Sandbox, losant: LosantClient) -> None:
    """Where memory runs out while loading, the child lives on and the error names the way out."""
    rows = [(f"{n:05d}" + "x" * 3000,) for n in range(4000)]
    store_table(sandbox.store, "wide", {"text": "string"}, rows)
    async with Workbench(memory=10 * 1024 * 1024) as workbench:
        with pytest.raises(InvalidRequest, match="does not fit into the workbench's memory"):
            await workbench.query(losant, sandbox.application_id, "SELECT max(text) FROM wide")
        answer = await workbench.query(losant, sandbox.application_id, "SELECT count(*) FROM sites")
        assert answer.rows == [[20]]


@pytest.mark.parametrize("kind", ["html", "truncated_json"])
async def test_a_page_that_is_no_json_is_an_error(
    kind: str, losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """A proxy's page of HTML or half an answer never becomes an empty table."""
    fault = {"kind": kind, "endpoint": f"GET *{readings}/rows"}

    async def faulty(number: int) -> None:
        sandbox.set_faults({**fault, **({"status": 200} if kind == "html" else {})})

    token = SecretStr(sandbox.tokens["full"])
    async with Watched(token, base_url=sandbox.url, retry_wait_scale=0) as client:
        client.before_page = faulty
        with pytest.raises(BadResponse):
            await workbench.query(client, sandbox.application_id, SQL)
    sandbox.set_faults()
    answer = await workbench.query(losant, sandbox.application_id, SQL)
    assert answer.rows[0][0] == ROWS


async def test_losants_errors_come_through(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """An error status is the client's error, whoever waited for the table."""
    sandbox.set_faults({"kind": "status", "status": 403, "endpoint": "dataTableRows.get"})
    errors: list[str] = []

    async def ask() -> None:
        try:
            await workbench.query(losant, sandbox.application_id, SQL)
        except LosantMcpError as error:
            errors.append(type(error).__name__)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
    assert errors == ["Forbidden"] * 3


async def test_a_child_that_dies_is_replaced(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """Where somebody else's statement ended the child, the table is loaded into the next."""
    await workbench.query(losant, sandbox.application_id, SQL)
    [desk] = workbench._desks.values()
    await desk.child._kill()
    answer = await workbench.query(losant, sandbox.application_id, SQL)
    assert answer.rows[0][0] == ROWS
    assert pages_read(sandbox, readings) == 8


async def test_tables_of_two_processes_are_not_taken_for_those_of_one(
    workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """A child that ends between the loads of two tables takes the first one with it."""
    async with Replacing(SecretStr(sandbox.tokens["full"]), base_url=sandbox.url) as client:
        application = sandbox.application_id
        await workbench.query(client, application, SITES)
        [client.desk] = workbench._desks.values()
        client.table = readings
        sql = "SELECT (SELECT count(*) FROM readings), (SELECT count(*) FROM sites)"
        answer = await workbench.query(client, application, sql)
    assert client.replaced
    assert answer.rows == [[ROWS, 20]]


class Replacing(LosantClient):
    """Has a child replaced when all tables but one are loaded."""

    desk: Desk | None = None
    table = ""
    replaced = False

    async def data_table_rows_get(self, **view: Any) -> DataTableRows:
        """The page, once that happened."""
        if self.desk is not None and view["dataTableId"] == self.table and not self.replaced:
            desk = self.desk
            await until(lambda: any(table.users for table in desk.tables.values()))
            self.replaced = True
            await desk.child.replace()
        return await super().data_table_rows_get(**view)


@pytest.mark.parametrize("worn", [True, False])
async def test_a_process_that_ends_late_fails_only_who_ended_it(
    losant: LosantClient,
    workbench: Workbench,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    worn: bool,
) -> None:
    """What a stopped statement left behind is not the fault of the one that comes after it."""
    await workbench.query(losant, sandbox.application_id, SITES)
    [desk] = workbench._desks.values()
    desk.child.worn = worn
    send = desk.child._send
    sent: list[bytes] = []

    async def dying(frame: bytes) -> None:
        if b'"query"' in frame and not sent:
            sent.append(frame)
            assert desk.child._process is not None
            desk.child._process.kill()
            await desk.child._process.wait()
        await send(frame)

    monkeypatch.setattr(desk.child, "_send", dying)
    if worn:
        assert (await workbench.query(losant, sandbox.application_id, SITES)).rows == [[20]]
    else:
        with pytest.raises(InvalidRequest, match="ended the engine"):
            await workbench.query(losant, sandbox.application_id, SITES)
    assert sent


async def test_progress_is_told_while_loading(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """The last word of it is that all rows are there."""
    told: list[tuple[float, float | None, str]] = []

    async def progress(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))

    await workbench.query(losant, sandbox.application_id, SQL, progress=progress)
    assert told[-1] == (ROWS, ROWS, "reading readings")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
