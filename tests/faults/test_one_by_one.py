"""A Losant that finds no rows by a set of ids: they are deleted one by one, also amid faults."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import httpx
import pytest

from tests.calling import asked, result
from tests.faults.serving import change, given, stored
from tests.faults.table import FAULTS, WRITES, Fault
from tests.guard.guarding import Guarded, Meddler, guarded_server
from tests.guard.meddling import agree
from tests.served import Sandbox

DELETE = WRITES["delete_rows asked"]
ROW = "dataTableRow.delete"
BEFORE = 2
"""How many rows are deleted before the fault."""

Says = Literal["refuses", "finds nothing"]


@dataclass
class NoSets(httpx.AsyncBaseTransport):
    """The network to a Losant whose queries of rows know no ``$in`` on ids."""

    says: Says
    network: httpx.AsyncBaseTransport = field(
        # There is no TLS here, and loading certificates takes a while.
        default_factory=lambda: httpx.AsyncHTTPTransport(verify=False)
    )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, unless it asks for what this Losant does not know."""
        queries = request.url.path.endswith("/rows/query")
        if queries and b'"$in"' in (content := await request.aread()):
            if self.says == "refuses":
                told = {"type": "Validation", "message": "$in is not allowed here."}
                return httpx.Response(400, json=told)
            body = json.dumps(json.loads(content) | {"id": "0" * 24}).encode()
            headers = {**request.headers, "content-length": str(len(body))}
            request = httpx.Request(
                "POST", request.url, headers=headers, content=body, extensions=request.extensions
            )
        return await self.network.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.network.aclose()


@pytest.fixture
async def server(
    sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Guarded]:
    """A guarded server over such a Losant."""
    async with AsyncExitStack() as stack:
        meddler = Meddler(network=NoSets(getattr(request, "param", "refuses")))
        yield await guarded_server(sandbox, "auto", tmp_path, stack, meddler=meddler)


@pytest.mark.parametrize("server", get_args(Says), indirect=True)
async def test_each_row_of_the_set_is_deleted_by_itself(server: Guarded) -> None:
    """Just these, all of them backed up, whether Losant refuses the set or finds nothing by it."""
    before = stored(server.sandbox)
    client = await server.connect(agree)
    done = await result(client, DELETE.tool, **given(DELETE, server.sandbox.store))
    assert (done["status"], done["removed"]) == ("done", DELETE.reaches)
    assert change(before, server.sandbox) == DELETE.change
    assert await server.backed_up(done["backupId"]) == DELETE.reaches
    assert asked(server.sandbox).count(ROW) == DELETE.reaches
    assert DELETE.endpoint not in asked(server.sandbox)


async def test_a_row_that_changed_meanwhile_stays(server: Guarded) -> None:
    """Somebody changes one row and deletes another one when all are backed up."""
    before = stored(server.sandbox)
    at = f"{server.sandbox.application_url}/data-tables/{server.table_id('sites')}/rows"
    http = server.sandbox.http()

    def meddle() -> None:
        [changed, gone] = http.post(f"{at}/query", json={"district": "West"}).json()["items"][-2:]
        http.patch(f"{at}/{changed['id']}", json={"name": "New"}).raise_for_status()
        http.delete(f"{at}/{gone['id']}").raise_for_status()

    server.meddler.before("DELETE", "", meddle)
    client = await server.connect(agree)
    done = await result(client, DELETE.tool, **given(DELETE, server.sandbox.store))
    assert (done["status"], done["removed"]) == ("done", DELETE.reaches - 2)
    assert "1 object changed since the plan and was kept." in done["message"]
    assert "1 object had already vanished." in done["message"]
    assert change(before, server.sandbox)["rows"] == (DELETE.reaches, 1)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=name, marks=[pytest.mark.nightly] if fault.seldom else [])
        for name, fault in FAULTS.items()
        if fault.rule is not None and not fault.impatient
    ],
)
async def test_a_fault_in_the_middle_is_told_as_it_was(server: Guarded, fault: Fault) -> None:
    """What went before it is gone, of the row that it befell Losant is asked, and no more go."""
    before = stored(server.sandbox)

    def befall() -> None:
        server.sandbox.set_faults({"endpoint": ROW, "times": 1, **(fault.rule or {})})

    server.meddler.before("DELETE", "", befall, number=BEFORE + 1)
    client = await server.connect(agree)
    told = await result(client, DELETE.tool, **given(DELETE, server.sandbox.store))
    if fault.told == "done":
        assert (told["status"], told["removed"]) == ("done", DELETE.reaches)
        return
    gone = BEFORE + fault.happens
    assert change(before, server.sandbox)["rows"] == (gone, 0)
    assert (told["status"], told["removed"]) == ("interrupted", gone)
    assert "Nothing was changed" not in told["message"]
    assert asked(server.sandbox).count(ROW) == BEFORE + 1
    assert await server.backed_up(told["backupId"]) == DELETE.reaches
