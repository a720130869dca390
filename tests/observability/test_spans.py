"""Spans: what a call is made of, in the caller's own trace, and nothing of anybody's data."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.calling import Connect, Mode, refusal, result
from tests.cli.command import COMMAND, ROOT, environment
from tests.guard.guarding import accept, guarded_server
from tests.hosting.serving import META, served
from tests.served import Sandbox

# One provider for a process, so these run in one.
pytestmark = pytest.mark.xdist_group("spans")

SECRET = "Ferry Point"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Where the spans of this process go."""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    return found


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    """The same, empty."""
    exporter.clear()
    yield exporter
    exporter.clear()


def _path(span: ReadableSpan, among: dict[int, ReadableSpan]) -> list[str]:
    """The names from the outermost span to this one."""
    above = among.get(span.parent.span_id) if span.parent else None
    return [*(_path(above, among) if above else []), span.name]


def _told(spans: InMemorySpanExporter) -> list[list[str]]:
    finished = spans.get_finished_spans()
    among = {span.context.span_id: span for span in finished if span.context}
    return [_path(span, among) for span in finished]


async def test_a_statement_is_loads_and_requests_in_the_callers_trace(
    connect: Connect, spans: InMemorySpanExporter
) -> None:
    """From the caller's span to the pages that were read."""
    client = await connect()
    spans.clear()
    with trace.get_tracer("caller").start_as_current_span("caller"):
        sql = f"SELECT count(*) AS n FROM sites WHERE name = '{SECRET}'"
        assert (await result(client, "query_sql", sql=sql))["rows"] == [[1]]
    paths = _told(spans)
    [tool] = [path for path in paths if path[-1] == "tools/call query_sql"]
    assert tool[0] == "caller"
    below = [path[len(tool) :] for path in paths if path[: len(tool)] == tool]
    assert ["sql"] in below
    assert ["load"] in below
    assert ["losant dataTables.get"] in below
    assert any(path[0] == "load" and path[-1].startswith("losant dataTableRows") for path in below)
    [load] = [span for span in spans.get_finished_spans() if span.name == "load"]
    assert dict(load.attributes or {}) == {
        "losant_mcp.kind": "rows",
        "losant_mcp.rows": 20,
        "losant_mcp.exact": True,
    }


async def test_over_http_it_is_the_callers_trace_too(
    sandbox: Sandbox, mode: Mode, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    """Whether the message says so, as the SDK's client does, or the headers of its request."""
    tool = "tools/call list_events"
    async with served(sandbox, tmp_path) as host:
        async with host.client(mode=mode) as client:
            with trace.get_tracer("caller").start_as_current_span("caller"):
                await result(client, "list_events")
        assert [path[0] for path in _told(spans) if path[-1] == tool] == ["caller"]
        spans.clear()
        traced = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "mcp-name": "list_events"}
        params = {"name": "list_events", "arguments": {}, "_meta": META}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        await host.listing(headers={"mcp-method": "tools/call", **traced}, json=call)
    found = {span.name: span.context for span in spans.get_finished_spans()}
    assert {tool, "losant events.get"} <= found.keys()
    assert {context and f"{context.trace_id:032x}" for context in found.values()} == {TRACE}


async def test_a_deletion_shows_the_phases_of_the_guard(
    sandbox: Sandbox, mode: Mode, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    """Plan, run and backup are spans below the tool's."""
    async with AsyncExitStack() as stack:
        guarded = await guarded_server(sandbox, mode, tmp_path / "state", stack)
        client = await guarded.connect(accept("sites"))
        query = {"district": "West"}
        done = await result(client, "delete_rows", dataTableId="sites", query=query)
    assert done["status"] == "done"
    names = {span.name for span in spans.get_finished_spans()}
    assert {"guard plan", "guard run", "guard backup", "losant dataTableRows.delete"} <= names
    [run] = [span for span in spans.get_finished_spans() if span.name == "guard run"]
    assert dict(run.attributes or {}) == {
        "losant_mcp.action": "delete_rows",
        "losant_mcp.status": "done",
    }


async def test_a_failure_is_told_by_its_kind(
    connect: Connect, sandbox: Sandbox, spans: InMemorySpanExporter
) -> None:
    """The span of a request that failed is an error, of a kind."""
    client = await connect()
    sandbox.set_faults({"endpoint": "event.get", "kind": "status", "status": 500})
    await refusal(client, "get_event", eventId="5f0c0de040000000000007d0")
    [failed] = [s for s in spans.get_finished_spans() if s.name == "losant event.get"]
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "ServerError"
    assert failed.events == ()


async def test_no_span_says_what_was_asked_or_found(
    connect: Connect, sandbox: Sandbox, spans: InMemorySpanExporter
) -> None:
    """Neither arguments nor answers nor ids nor tokens are in them."""
    client = await connect()
    await result(client, "query_rows", dataTableId="sites", query={"name": SECRET})
    await refusal(client, "get_row", dataTableId="sites", rowId="5f0c0de05000000100000099")
    told = json.dumps([json.loads(span.to_json()) for span in spans.get_finished_spans()])
    assert "losant dataTableRows.query" in told
    ids = [row["id"] for row in sandbox.store.rows("SELECT id FROM data_tables")]
    for private in (SECRET, "sites", "5f0c0de0", *ids, *sandbox.tokens.values()):
        assert private not in told


@pytest.mark.parametrize("mode", ["auto"])
async def test_a_collector_that_is_named_gets_the_spans(mode: Mode) -> None:
    """A server as a process of its own sends them before it ends."""
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            server = StdioServerParameters(
                command=COMMAND[0],
                args=[*COMMAND[1:], "serve", "--sandbox"],
                cwd=ROOT,
                env=environment(
                    OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}"
                ),
            )
            async with Client(server, mode=mode) as client:
                await client.call_tool("get_most_severe_event", {})
        finally:
            collector.shutdown()
            thread.join()
    assert {path for path, _ in received} == {"/v1/traces"}
    assert b"losant events.mostRecentBySeverity" in b"".join(body for _, body in received)
