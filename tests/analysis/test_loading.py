"""Loading: what others write meanwhile, what is kept, and what a cancelled call leaves."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from losant_mcp.analysis.loading import LOADS
from losant_mcp.analysis.workbench import Workbench
from losant_mcp.client import LosantClient
from tests.analysis.stored_tables import (
    ROWS,
    SQL,
    Someone,
    Watched,
    pages_read,
    store_table,
    until,
)
from tests.served import Sandbox

# ---- while it is read ----------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize("what", ["insert", "update", "delete", "replace"])
async def test_a_change_between_pages_is_seen(
    what: str,
    page: int,
    watched: Watched,
    workbench: Workbench,
    sandbox: Sandbox,
    readings: str,
) -> None:
    """The table is read again, and is then exactly what it is at one moment."""
    someone = Someone(sandbox, readings)

    async def change(number: int) -> None:
        if number == page:
            getattr(someone, what)()

    watched.before_page = change
    answer = await workbench.query(watched, sandbox.application_id, SQL)
    assert answer.exact
    assert answer.rows[0] == someone.states[-1]
    assert watched.pages == 8


async def test_a_table_that_never_rests_is_partial(
    watched: Watched, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """After three attempts the answer says that it is partial and why; it is not kept."""
    someone = Someone(sandbox, readings)

    async def change(number: int) -> None:
        someone.update()

    watched.before_page = change
    answer = await workbench.query(watched, sandbox.application_id, SQL)
    assert not answer.exact
    assert answer.partial == {"readings": "it changed while it was read"}
    assert answer.rows[0][0] == ROWS
    assert watched.pages == 4 * LOADS
    watched.before_page = None
    answer = await workbench.query(watched, sandbox.application_id, SQL)
    assert answer.exact
    assert answer.rows[0] == someone.states[-1]


async def test_columns_that_change_meanwhile_are_seen(
    losant: LosantClient,
    watched: Watched,
    workbench: Workbench,
    sandbox: Sandbox,
    readings: str,
) -> None:
    """A column that is removed between pages makes no row that is half there."""

    async def change(number: int) -> None:
        if number == 3:
            await losant.data_table_remove_column(
                applicationId=sandbox.application_id, dataTableId=readings, columnName="n"
            )

    watched.before_page = change
    answer = await workbench.query(watched, sandbox.application_id, "SELECT count(n) FROM readings")
    assert answer.partial == {"readings": "its columns changed while it was read"}


async def test_events_that_come_meanwhile_are_seen(
    watched: Watched, workbench: Workbench, sandbox: Sandbox
) -> None:
    """Events are held to the same: counted before and after, and read again."""
    store = sandbox.store

    async def change(number: int) -> None:
        if number == 2:
            now = store.clock()
            with store.transaction(write=True) as db:
                db.execute(
                    "INSERT INTO events (id, applicationId, creationDate, lastUpdated, level,"
                    " state, subject) VALUES (?, ?, ?, ?, 3, 0, 'new')",
                    (store.new_id(), sandbox.application_id, now, now),
                )

    watched.before_page = change
    answer = await workbench.query(
        watched, sandbox.application_id, "SELECT count(*) FROM events", start=1
    )
    assert answer.exact
    [expected] = store.rows("SELECT count(*) FROM events")
    assert answer.rows == [list(expected)]


# ---- what is kept --------------------------------------------------------------------------


async def test_a_table_is_read_once_and_validated_after(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """A second statement reads no page; after a change, it reads them all."""
    someone = Someone(sandbox, readings)
    for _ in range(3):
        answer = await workbench.query(losant, sandbox.application_id, SQL)
        assert answer.rows[0] == someone.states[-1]
    assert pages_read(sandbox, readings) == 4
    someone.delete()
    answer = await workbench.query(losant, sandbox.application_id, SQL)
    assert answer.rows[0] == someone.states[-1]
    assert pages_read(sandbox, readings) == 8


async def test_what_changed_just_now_is_not_trusted(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """A later change may fall into the same millisecond, so a fresh one is read again."""
    someone = Someone(sandbox, readings)
    someone.update()
    for _ in range(2):
        answer = await workbench.query(losant, sandbox.application_id, SQL)
        assert answer.rows[0] == someone.states[-1]
    assert pages_read(sandbox, readings) == 8


async def test_our_own_writes_drop_the_table(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """What is invalidated is read again; other tables are not."""
    await workbench.query(losant, sandbox.application_id, SQL)
    workbench.invalidate(sandbox.application_id, "0" * 24)
    await workbench.query(losant, sandbox.application_id, SQL)
    assert pages_read(sandbox, readings) == 4
    workbench.invalidate(sandbox.application_id.upper(), readings.upper())
    await workbench.query(losant, sandbox.application_id, SQL)
    assert pages_read(sandbox, readings) == 8


async def test_the_longest_unused_table_makes_room(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """Above the ceiling only the newest table stays."""
    await workbench.query(losant, sandbox.application_id, SQL)
    [desk] = workbench._desks.values()
    desk.ceiling = 1
    await workbench.query(losant, sandbox.application_id, "SELECT count(*) FROM sites")
    assert [table.source.name for table in desk.tables.values()] == ["sites"]
    await workbench.query(losant, sandbox.application_id, SQL)
    assert pages_read(sandbox, readings) == 8


async def test_many_calls_on_a_cold_table_load_it_once(
    losant: LosantClient, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """Twenty calls at once have the same answer, and the pages are read once."""
    answers: list[list[Any]] = []

    async def ask() -> None:
        answer = await workbench.query(losant, sandbox.application_id, SQL)
        answers.extend(answer.rows)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert answers == [Someone(sandbox, readings).states[0]] * 20
    assert pages_read(sandbox, readings) == 4


@pytest.mark.parametrize("status", [None, 400, 413])
async def test_narrow_rows_come_in_large_pages_where_losant_gives_them(
    status: int | None, watched: Watched, workbench: Workbench, sandbox: Sandbox
) -> None:
    """Five thousand at once, or a thousand where that is refused; the answer is the same."""
    table = store_table(sandbox.store, "narrow", {"n": "number"}, [(n,) for n in range(7_000)])

    async def refuse(number: int) -> None:
        if number == 1 and status is not None:
            fault = {"kind": "status", "status": status, "times": 1}
            sandbox.set_faults({**fault, "endpoint": f"GET *{table}/rows"})

    watched.before_page = refuse
    answer = await workbench.query(
        watched, sandbox.application_id, "SELECT count(*), sum(n) FROM narrow"
    )
    assert answer.rows == [[7_000, sum(range(7_000))]]
    assert pages_read(sandbox, table) == (0 if status is None else 7)


# ---- cancelled -----------------------------------------------------------------------------


async def test_a_call_cancelled_while_loading_leaves_nothing(
    watched: Watched, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """Its pages are dropped and its connections free; the next call loads the table anew."""
    await workbench.query(watched, sandbox.application_id, "SELECT count(*) FROM sites")
    [desk] = workbench._desks.values()
    before, pid, first = desk.child.used, desk.child.pid, watched.pages
    with anyio.CancelScope() as scope:

        async def cancel(number: int) -> None:
            if number == first + 4:
                scope.cancel()
                await anyio.lowlevel.checkpoint()

        watched.before_page = cancel
        await workbench.query(watched, sandbox.application_id, SQL)
    assert scope.cancelled_caught
    watched.before_page = None
    assert desk.limiter.borrowed_tokens == 0
    assert not desk.flights
    await desk.child.call({"op": "rest"})
    assert desk.child.used <= before + 300_000
    answer = await workbench.query(watched, sandbox.application_id, SQL)
    assert answer.rows[0][0] == ROWS
    assert desk.child.pid == pid


async def test_who_waits_takes_over_from_who_is_cancelled(
    watched: Watched, workbench: Workbench, sandbox: Sandbox, readings: str
) -> None:
    """A load that others wait for is begun again by one of them."""
    answers: list[list[Any]] = []
    first = anyio.CancelScope()

    async def ask(scope: anyio.CancelScope) -> None:
        with scope:
            answer = await workbench.query(watched, sandbox.application_id, SQL)
            answers.extend(answer.rows)

    async def cancel(number: int) -> None:
        if number == 3:
            first.cancel()

    watched.before_page = cancel
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, first)
        await until(lambda: watched.pages > 0)
        for _ in range(3):
            tasks.start_soon(ask, anyio.CancelScope())
    assert len(answers) == 3
    assert {row[0] for row in answers} == {ROWS}


@pytest.mark.parametrize(
    ("sql", "survives"),
    [
        (
            "SELECT count(*) FROM sites a, sites b, sites c, range(100000000) WHERE a.id > b.id",
            True,
        ),
        ("SELECT levenshtein(repeat('a', 400000), repeat('b', 400000)) FROM sites", False),
    ],
    ids=["interrupted", "killed"],
)
async def test_a_call_cancelled_while_running_stops_the_statement(
    sql: str, survives: bool, losant: LosantClient, workbench: Workbench, sandbox: Sandbox
) -> None:
    """The child stops it, or is replaced where it cannot; the next call has its answer."""
    application = sandbox.application_id
    await workbench.query(losant, application, "SELECT count(*) FROM sites")
    [desk] = workbench._desks.values()
    pid, asked = desk.child.pid, desk.child._number
    scope = anyio.CancelScope()

    async def ask() -> None:
        with scope:
            await workbench.query(losant, application, sql)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        # Which tables it names is the first that the child is asked, the statement the second.
        await until(lambda: desk.child._number == asked + 2)
        scope.deadline = anyio.current_time() + 0.3
    assert scope.cancelled_caught
    answer = await workbench.query(losant, application, "SELECT count(*) FROM sites")
    assert answer.rows == [[20]]
    assert (desk.child.pid == pid) is survives
