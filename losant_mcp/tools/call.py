"""What a tool is given beside its arguments: client, settings, and this call's own facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mcp.server.mcpserver import Context

from losant_mcp.analysis.workbench import Workbench
from losant_mcp.api.query import DEVICES, EVENTS, JOB_LOGS, ROWS, Subject, parse_query
from losant_mcp.api.times import iso, to_ms
from losant_mcp.api.types import PageFields, RequestModel, RequestRoot
from losant_mcp.client import LosantClient
from losant_mcp.config import Settings, Toolset
from losant_mcp.errors import InvalidQuery, InvalidRequest
from losant_mcp.guard.door import GuardDoor
from losant_mcp.tools import paging, results
from losant_mcp.tools.arguments import read
from losant_mcp.tools.times import Clock

TIME_FIELDS = {
    EVENTS.name: {"creationDate", "lastUpdated"},
    DEVICES.name: {"creationDate", "lastUpdated", "deletedAt", "connectedAt", "disconnectedAt"},
    JOB_LOGS.name: {"runQueuedAt", "runStartedAt", "runCompletedAt"},
    ROWS.name: {"createdAt", "updatedAt"},
}

Body = TypeVar("Body", bound=RequestModel)
Root = TypeVar("Root", bound=RequestRoot[Any])


@dataclass(frozen=True)
class Services:
    """What all calls of one server share."""

    settings: Settings
    client: LosantClient
    clock: Clock
    guard: GuardDoor
    """Through which everything passes that is more than a read."""
    workbench: Workbench
    """Where whole tables are asked by SQL; its processes start at the first question."""
    bound_to: str | None = None
    """The one application of this server, where it is bound."""
    job_seconds: float = 20.0
    """How long a call waits for the job that it started."""
    hosting: Mapping[str, Any] = field(default_factory=dict)
    """How the server is hosted, for its status; empty over stdio."""
    own_jobs: set[str] = field(default_factory=set)
    """The job logs of jobs that this server started."""
    after_writes: list[Callable[[str, Toolset], None]] = field(default_factory=list)
    """Told the application and the tool's toolset, when one of our own writes has ended."""

    def wrote(self, application_id: str, what: str, toolset: Toolset) -> None:
        """Forget what is known of ``what`` (a table's id or "events"), and tell who wants to know.

        Also after an error: something may have been changed all the same.
        """
        self.workbench.invalidate(application_id, what)
        for tell in self.after_writes:
            tell(application_id, toolset)


@dataclass
class Call:
    """One call of one tool.

    ``arguments`` are as given, for the ``next`` of a page; ``values`` are the same resolved:
    ids for names, ms for times. Neither holds an argument that was left out. ``asked`` is what a
    plan is bound to: the arguments as they came, without the reference to the plan.
    """

    services: Services
    arguments: dict[str, Any]
    context: Context[Any, Any]
    values: dict[str, Any] = field(default_factory=dict)
    resolved: dict[str, str] = field(default_factory=dict)
    """What relative times and names were taken for; told in the result."""

    def __post_init__(self) -> None:
        self.latest = self.before = 0.0
        self.furthest = -1.0
        self.asked = {k: v for k, v in self.arguments.items() if k != "approvalId"}

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Tell the client how far the call has come, where it wants to know.

        It only grows, as the protocol demands: what begins anew is counted on top.
        """
        if done < self.latest:
            self.before = self.furthest
        self.latest = done
        if self.before + done > self.furthest:
            self.furthest = self.before + done
            whole = None if total is None else self.before + total
            await self.context.report_progress(self.furthest, whole, message)

    @property
    def client(self) -> LosantClient:
        """The client, through which every request passes."""
        return self.services.client

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return self.services.settings

    @property
    def bound_to(self) -> str | None:
        """The one application of this server, where it is bound."""
        return self.services.bound_to

    @property
    def tokens(self) -> int:
        """The budget of the result."""
        return self.settings.result_tokens

    def time(self, value: str | int | float, name: str) -> int:
        """The time in ms since the epoch; what a text was taken for is told in the result."""
        ms = self.services.clock.resolve(value, name)
        if isinstance(value, str):
            self.resolved[name] = iso(ms)
        return ms

    def now(self) -> int:
        """The current time in ms since the epoch."""
        return to_ms(self.services.clock.now())

    def window(self, start: int | None, end: int | None, span: int) -> tuple[int, int]:
        """Start and end in ms, where left out made explicit: now, and ``span`` ms before the end.

        Raises InvalidRequest where the window is empty.
        """
        until = self.now() if end is None else end
        since = max(1, until - span) if start is None else start
        if since >= until:
            raise InvalidRequest(f"start ({iso(since)}) is not before end ({iso(until)}).")
        return since, until

    def body(self, model: type[Body], **extra: Any) -> Body:
        """The request body of the arguments that belong to it; ``extra`` wins.

        Raises InvalidRequest where the API's schema refuses a value.
        """
        fields = {k: v for k, v in self.values.items() if k in model.model_fields}
        return read(model, {**fields, **extra})

    def root(self, model: type[Root], value: Any) -> Root:
        """A body that is the value itself. Raises InvalidRequest where the schema refuses it."""
        return read(model, value)

    def query(
        self,
        query: dict[str, Any] | None,
        subject: Subject,
        *,
        columns: list[str] | None = None,
        name: str = "query",
    ) -> dict[str, Any] | None:
        """The query, checked against its grammar, with its times made absolute.

        ``name`` is the argument's, for errors.
        """
        if query is None:
            return None
        try:
            parse_query(query, subject, columns=columns)
        except InvalidQuery as error:
            # The class says "query" before the path; this argument may be called otherwise.
            error.args = (name + str(error).removeprefix("query"),)
            raise
        absolute = self._absolute(query, TIME_FIELDS[subject.name], name)
        assert isinstance(absolute, dict)
        if absolute != query and name in self.arguments:
            # The next page must mean the same moments.
            self.arguments[name] = absolute
        return absolute

    def _absolute(self, node: Any, times: set[str], path: str) -> Any:
        if isinstance(node, list):
            return [self._absolute(item, times, f"{path}[{i}]") for i, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        return {
            key: self._moment(value, f"{path}.{key}")
            if key in times
            else self._absolute(value, times, f"{path}.{key}")
            if key.startswith("$")
            else value
            for key, value in node.items()
        }

    def _moment(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return self.time(value, path)
        if isinstance(value, dict):
            return {key: self._moment(inner, f"{path}.{key}") for key, inner in value.items()}
        if isinstance(value, list):
            return [self._moment(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return value

    def listing(self, columns: list[str], items: Any, **more: Any) -> dict[str, Any]:
        """A columnar result within this server's budget; see ``results.listing``."""
        return results.listing(columns, items, tokens=self.tokens, **self._told(), **more)

    def page(
        self,
        columns: list[str],
        items: Any,
        found: PageFields,
        *,
        page: int,
        perPage: int,
        **more: Any,
    ) -> dict[str, Any]:
        """The columnar result of a page that Losant numbers, with the way on to the next one."""
        total, size = found.totalCount, found.perPage or perPage
        following = paging.pages(self.arguments, page=page, size=size, total=total)
        return self.listing(columns, items, total=total, paging=following, **more)

    def single(self, name: str, item: Any, **more: Any) -> dict[str, Any]:
        """A result of one object within this server's budget; see ``results.single``."""
        return results.single(name, item, tokens=self.tokens, **self._told(), **more)

    def _told(self) -> dict[str, Any]:
        """What times were taken for; of very many, the first."""
        shown = dict(list(self.resolved.items())[: max(3, self.tokens // 250)])
        if left_out := len(self.resolved) - len(shown):
            shown["…"] = f"{left_out} more"
        return {"resolved": shown} if shown else {}
