"""The page beside a real server over stdio: a model asks, a person agrees in a browser."""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters

from tests.cli.command import COMMAND, ROOT, environment
from tests.http.asked import Person, address_of
from tests.served import Sandbox

NOTE = """
import os, sys
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname
note = sys.argv[1]
with open(note + ".part", "w") as file:
    file.write(url2pathname(urlsplit(sys.argv[2]).path))
os.replace(note + ".part", note)
print("standard output is the protocol's")
"""


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_table_is_emptied_after_a_persons_yes_in_the_browser(
    sandbox: Sandbox, tmp_path: Path, mode: Literal["auto", "legacy"]
) -> None:
    """Without the yes nothing goes, however often the model calls; with it, exactly that goes."""
    script, note = tmp_path / "browser.py", tmp_path / "opened"
    script.write_text(NOTE, encoding="utf-8")
    settings = {
        "LOSANT_API_URL": sandbox.url,
        "LOSANT_API_TOKEN": sandbox.tokens["full"],
        "LOSANT_APPLICATION_ID": sandbox.application_id,
        "LOSANT_MCP_STATE_DIR": str(tmp_path / "state"),
        "BROWSER": f"{sys.executable} {script} {note} %s",
    }
    server = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:], "serve"], cwd=ROOT, env=environment(**settings)
    )
    async with Client(server, mode=mode) as client, httpx.AsyncClient() as http:
        tables = await _call(client, "list_data_tables", {})
        table_id, name, *_ = tables["rows"][0]
        before = _count(sandbox, table_id)
        assert before > 0
        asked = await _call(client, "truncate_rows", {"dataTableId": table_id})
        approval = {"dataTableId": table_id, "approvalId": asked["approvalId"]}
        assert asked["status"] == "approval_required"
        assert "has been opened in the person's browser" in asked["message"]
        assert (await _call(client, "truncate_rows", approval))["status"] == "approval_required"
        assert _count(sandbox, table_id) == before

        file = Path(await _noted(anyio.Path(note)))
        person = Person(http, urlsplit(await address_of(file)).netloc)
        page = await person.enter(file)
        assert f"<bdi>{name}</bdi>" in page.text
        label = re.search(r"Type <kbd>(.+?)</kbd>", page.text)
        assert label is not None
        path = f"/approvals/{asked['approvalId']}"
        await person.post(path, {"decision": "approve", "phrase": unescape(label[1])})
        assert ">Approved</h1>" in (await person.get(path)).text
        assert _count(sandbox, table_id) == before

        done = await _call(client, "truncate_rows", approval)
        assert (done["status"], done["removed"]) == ("done", before)
        assert _count(sandbox, table_id) == 0
        assert ">Done</h1>" in (await person.get(path)).text
        again = await _call(client, "truncate_rows", approval)
        assert again == done


async def _noted(note: anyio.Path) -> str:
    """What the browser wrote; the server does not wait for one that takes long to start."""
    with anyio.fail_after(30):
        while not await note.exists():  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(0.05)
    return await note.read_text(encoding="utf-8")


async def _call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert isinstance(answer.structured_content, dict), answer
    assert not answer.is_error, answer.structured_content
    return answer.structured_content


def _count(sandbox: Sandbox, table_id: str) -> int:
    """How many rows the sandbox has stored."""
    answer = sandbox.http().get(f"{sandbox.application_url}/data-tables/{table_id}/rows?limit=1")
    total = answer.json()["totalCount"]
    assert isinstance(total, int)
    return total
