"""A real call of every tool, as the documentation shows it: on the demo, at one fixed moment.

Ids that are made anew differ each time; they are shown as what they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from losant_mcp.config import Settings
from losant_mcp.sandbox.demo import seed
from losant_mcp.sandbox.server import SandboxServer
from losant_mcp.sandbox.store import Store
from losant_mcp.tools.listing import listed
from tests.assembling import assembled, settings_for
from tests.tools.plausible import PUMP, arguments, ids_in

NOW = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
"""A Monday morning after a bad night."""

MOST_ITEMS = 3
MOST_TEXT = 160

MADE = {
    r"\b(?!5f0c0de0)[0-9a-f]{24}\b": "<id>",
    r"\bbak_[a-z2-7]+": "bak_…",
    r"(?<=\"bak_…\", )\"[^\"]+\"": f'"{NOW:%Y-%m-%dT%H:%M:%S}.000Z"',
    r"(?<=\"jobId\": )\"[^\"]+\"": '"<job id>"',
    r"http://127\.0\.0\.1:\d+": "https://api.losant.com",
    r"127\.0\.0\.1:\d+": "api.losant.com",
}
"""What differs each time, and what is shown for it, in this order."""

BETTER: Mapping[str, dict[str, Any]] = {
    "query_sql": {
        "sql": "SELECT s.name, count(*) AS overdue FROM sites s JOIN assets a USING (siteCode)\n"
        "WHERE a.inService AND a.nextServiceDue < '2026-03-02'\n"
        "GROUP BY ALL ORDER BY overdue DESC LIMIT 3"
    },
    "summarize_events": {"start": "-24h"},
    "query_time_series": {
        "deviceIds": [PUMP], "attributes": ["flow"], "start": "-3h", "resolution": 3_600_000,
    },
    "read_guide": {"name": "sql"},
}  # fmt: skip
"""Instead of what the tests send, which tells a reader less."""


@dataclass
class Example:
    """A call, what the person was asked, and what came back."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)
    question: str = ""


async def examples() -> list[Example]:
    """One of every tool, each on a demo of its own."""
    demo = Store(clock=lambda: round(NOW.timestamp() * 1000))
    seed(demo)
    found = []
    with SandboxServer(demo) as sandbox:
        for name in (spec.name for spec in listed(Settings())):
            sandbox.use(demo.copy())
            found.append(await _example(name, sandbox))
    return found


def shown(value: object, *, whole: bool = False) -> str:
    """A value as indented JSON; unless ``whole``, of long lists and texts only the start."""
    text = json.dumps(value if whole else _shortened(value), indent=2, ensure_ascii=False)
    # A list of plain values reads best in one line.
    text = re.sub(r"\[\n\s+([^\[\]{}]*?)\n\s+\]", lambda m: f"[{_joined(m[1])}]", text)
    return lasting(text)


def lasting(text: str) -> str:
    """The text without what differs each time."""
    for pattern, instead in MADE.items():
        text = re.sub(pattern, instead, text)
    return text


def _joined(items: str) -> str:
    return re.sub(r",\n\s+", ", ", items)


def _shortened(value: object) -> object:
    if isinstance(value, str) and len(value) > MOST_TEXT:
        return f"{value[:MOST_TEXT]}…"
    if isinstance(value, Mapping):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        plain = all(not isinstance(item, (list, dict)) for item in value)
        most = 20 if plain else MOST_ITEMS
        more = [f"… {len(value) - most} more"] if len(value) > most else []
        return [*map(_shortened, value[:most]), *more]
    return value


async def _example(name: str, sandbox: SandboxServer) -> Example:
    example = Example(name, BETTER.get(name, arguments(ids_in(sandbox.store))[name]))
    with TemporaryDirectory() as folder:
        async with _client(sandbox, Path(folder), example) as client:
            if name in ("restore_backup", "list_backups"):
                done = await client.call_tool(
                    "delete_rows", {"dataTableId": "sites", "query": {"district": "West"}}
                )
                backup = (done.structured_content or {})["backupId"]
                example.question = ""
                if name == "restore_backup":
                    example.arguments = {"backupId": backup}
            answer = await client.call_tool(name, example.arguments)
            assert not answer.is_error, answer.content
            example.result = answer.structured_content or {}
    return example


@asynccontextmanager
async def _client(sandbox: SandboxServer, folder: Path, example: Example) -> AsyncIterator[Client]:
    settings = settings_for(sandbox, state_dir=folder, time_zone="UTC", confirm_above=5)

    async def agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        example.question = params.message
        [(name, schema)] = params.requested_schema["properties"].items()
        typed = params.message.rpartition("type: ")[2]
        value = True if schema["type"] == "boolean" else typed
        return ElicitResult(action="accept", content={name: value})

    async with AsyncExitStack() as stack:
        parts = await assembled(settings, stack, clock=NOW.timestamp, now=lambda: NOW)
        yield await stack.enter_async_context(Client(parts.server, elicitation_callback=agree))


def run() -> list[Example]:
    """The examples, for a script."""
    return anyio.run(examples)
