"""The steps of the tour, one function each; their order is in ``steps``.

A step asks through the MCP client and shows what a model would see. Whatever is not as it should
be raises ``Failed``, so that a broken demo is a failed command.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.types import CallToolResult, TextContent, Tool

from losant_mcp.cli.person import Person
from losant_mcp.cli.screen import Screen

CHARACTERS_PER_TOKEN = 4
"""Of tool definitions, measured with o200k; for an estimate, since no tokenizer is installed."""


class Failed(Exception):
    """A step did not go as it should."""


@dataclass
class Tour:
    """The client, the screen, and what one step found for the next."""

    client: Client
    screen: Screen
    person: Person
    event_id: str = ""
    backup_id: str = ""

    async def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Show a call, make it, and return its result. Raises Failed where it is an error."""
        answer = await self.ask(name, **arguments)
        result = answer.structured_content
        if answer.is_error or not isinstance(result, dict):
            raise Failed(f"{name}: {text_of(answer)}")
        return result

    async def ask(self, name: str, /, **arguments: Any) -> CallToolResult:
        """Show a call, make it, and return its answer, error or not."""
        self.screen.call(name, arguments)
        return await self.client.call_tool(name, arguments)


Step = Callable[[Tour], Awaitable[None]]


def text_of(answer: CallToolResult) -> str:
    """The text of an answer."""
    return " ".join(part.text for part in answer.content if isinstance(part, TextContent))


def expect(condition: object, what: str) -> None:
    """Raise Failed unless the condition holds."""
    if not condition:
        raise Failed(what)


# ---- the steps -----------------------------------------------------------------------------


async def list_tools(tour: Tour) -> None:
    """Show what a model can do here, and what telling it costs."""
    tour.screen.step("What can a model do here?")
    tools = (await tour.client.list_tools()).tools
    expect(len(tools) >= 9, "too few tools are listed")
    characters = sum(len(_definition(tool)) for tool in tools)
    tokens = round(characters / CHARACTERS_PER_TOKEN, -2)
    tour.screen.say(
        f"{len(tools)} typed tools, in about {tokens:,.0f} tokens of definitions; each says"
        " whether it only reads:"
    )
    groups: dict[str, list[str]] = {"reads": [], "adds or exports": [], "changes or deletes": []}
    for tool in tools:
        hints = tool.annotations
        assert hints is not None, f"{tool.name} has no annotations"
        kind = (
            "reads"
            if hints.read_only_hint
            else "changes or deletes"
            if hints.destructive_hint
            else "adds or exports"
        )
        groups[kind].append(tool.name)
    tour.screen.facts({kind: ", ".join(names) for kind, names in groups.items()})


def _definition(tool: Tool) -> str:
    facts = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


async def find_most_severe(tour: Tour) -> None:
    """Show the worst new event and how many are new."""
    tour.screen.step("What is new, and what is worst?")
    found = await tour.call("get_most_severe_event")
    expect(found.get("event"), "no event is new")
    event = found["event"]
    tour.event_id = event["id"]
    tour.screen.result(
        f"{found['newCount']} events are new; the worst is {event['level']}:"
        f" {event['subject']} ({event.get('deviceName')})."
    )


async def digest_events(tour: Tour) -> None:
    """Digest the night: a storm of hundreds of alarms is one row."""
    tour.screen.step("What happened in the last 24 hours?")
    found = await tour.call("summarize_events", start="-24h", groupBy=["subject", "level"])
    expect(found["exact"], "the digest is not exact")
    tour.screen.say("Look first at:")
    for line in found["lookFirst"]:
        tour.screen.result(f"- {line}")
    shown = [found["columns"].index(name) for name in ("count", "level", "subject", "rate")]
    expect(any(row[shown[0]] >= 300 for row in found["rows"]), "the storm is not one row")
    tour.screen.rows(
        ["row", "events", "level", "subject", "rate"],
        [[number, *(row[i] for i in shown)] for number, row in enumerate(found["rows"], 1)],
    )
    tour.screen.result(f"{found['total']} events, every one counted, in one short answer.")


async def list_events(tour: Tour) -> None:
    """Show the new events, the most severe first."""
    tour.screen.step("The new events, most severe first")
    found = await tour.call(
        "list_events",
        state="new",
        sortField="level",
        perPage=6,
        fields=["level", "subject", "deviceName", "creationDate"],
    )
    expect(found["rows"], "list_events found nothing")
    tour.screen.rows(
        ["level", "at (UTC)", "subject", "device"],
        [
            (level, f"{datetime.fromisoformat(at):%m-%d %H:%M}", subject, device)
            for level, subject, device, at in found["rows"]
        ],
    )
    tour.screen.result(f"{found['returned']} of {found['total']}; `next` holds the next page.")


async def read_event(tour: Tour) -> None:
    """Show one event whole."""
    tour.screen.step("The worst one, whole")
    event = (await tour.call("get_event", eventId=tour.event_id))["event"]
    shown = ("level", "subject", "message", "deviceName", "creationDate", "data", "eventTags")
    expect(all(name in event for name in shown), "the event is not whole")
    tour.screen.facts(
        {name: value if isinstance(value := event[name], str) else _plain(value) for name in shown}
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return json.dumps(value, ensure_ascii=False)


async def ask_table(tour: Tour) -> None:
    """Answer a question about a data table by an advanced query."""
    tour.screen.step("Which important assets in service are overdue for maintenance?")
    found = await tour.call(
        "query_rows",
        dataTableId="assets",
        query={
            "nextServiceDue": {"$lt": f"{datetime.now(UTC):%Y-%m-%d}"},
            "inService": True,
            "criticality": {"$lte": 2},
        },
        sortColumn="nextServiceDue",
        includeFields=["assetTag", "kind", "criticality", "nextServiceDue"],
        limit=5,
    )
    expect(found["rows"], "no asset is overdue")
    tour.screen.rows(found["columns"][1:], [row[1:] for row in found["rows"]])
    tour.screen.result(
        f"{found['returned']} of {found['total']} that match: counted by Losant, not by the model."
    )


SEVERE_AND_OVERDUE = """
WITH alarms AS (
  SELECT eventTags->>'site' AS siteCode, count(*) AS severe
  FROM events WHERE level IN ('error', 'critical') GROUP BY ALL
), overdue AS (
  SELECT siteCode, count(*) AS overdue, min(nextServiceDue) AS since
  FROM assets WHERE inService AND nextServiceDue < today()::VARCHAR
  GROUP BY ALL
)
SELECT name, severe, overdue, since
FROM sites JOIN alarms USING (siteCode) JOIN overdue USING (siteCode)
WHERE severe > 5 ORDER BY severe DESC
"""


async def ask_tables_and_events(tour: Tour) -> None:
    """Answer a question over two tables and the events by one SELECT."""
    tour.screen.step("Which sites had many severe events this week and overdue maintenance?")
    found = await tour.call("query_sql", sql=SEVERE_AND_OVERDUE.strip(), start="-7d")
    expect(found["rows"], "no site is found")
    expect(found["exact"], "the answer is not exact")
    tour.screen.rows(found["columns"], found["rows"])
    scanned = ", ".join(f"{count:,} {name}" for name, count in found["scanned"].items())
    tour.screen.result(f"Exact, over {scanned}.")


async def go_on(tour: Tour) -> None:
    """Say what to do next, in commands that work as they stand."""
    tour.screen.step("Your turn")
    command = own_command()
    tour.screen.say(
        "Let your own assistant work on this sandbox, in claude-code, claude-desktop, vscode or"
        " cursor:"
    )
    tour.screen.command(f"{command} install claude-code --sandbox")
    tour.screen.say("Try a tool by hand:")
    tour.screen.command(f"{command} call --sandbox list_data_tables")
    tour.screen.say("With your own Losant application, set LOSANT_API_TOKEN, and then:")
    tour.screen.command(f"{command} check")


def own_command() -> str:
    """How a person starts this program from a shell, which may not have it on its path."""
    found, started = shutil.which("losant-mcp"), Path(sys.argv[0])
    if found is not None and Path(found).samefile(started):
        return "losant-mcp"
    if started.stem != "losant-mcp":
        words = [sys.executable, "-m", "losant_mcp"]
    else:
        here = Path.cwd()
        near = started.absolute().is_relative_to(here)
        words = [str(started.absolute().relative_to(here) if near else started.absolute())]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
