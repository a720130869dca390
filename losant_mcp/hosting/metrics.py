"""What Prometheus reads at ``/metrics``.

No label holds what a caller chose: tools and endpoints are those that there are, and neither
callers nor applications are told apart, so that the number of series is bounded and nothing is
told of anybody.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from losant_mcp.observer import Observer, ToolCall

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# A series more for each, which nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics(Observer):
    """Counts what it is told, beside logging it."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._calls = Counter(
            "losant_mcp_calls", "Calls of tools.", ["tool", "outcome"], registry=registry
        )
        self._call_seconds = Histogram(
            "losant_mcp_call_seconds",
            "How long calls of tools took.",
            ["tool"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._call_errors = Counter(
            "losant_mcp_call_errors",
            "Calls of tools that ended with an error, by its kind.",
            ["tool", "kind"],
            registry=registry,
        )
        self._requests = Counter(
            "losant_mcp_upstream_requests",
            "Requests to Losant, each attempt, by status or kind of error.",
            ["endpoint", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "losant_mcp_upstream_seconds",
            "How long requests to Losant took, each attempt.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._retries = Counter(
            "losant_mcp_upstream_retries",
            "Requests to Losant that were repeated.",
            ["endpoint"],
            registry=registry,
        )
        self._errors = Counter(
            "losant_mcp_upstream_errors",
            "Requests to Losant that failed, by kind of error.",
            ["kind"],
            registry=registry,
        )
        self._cache = Counter(
            "losant_mcp_table_cache",
            "Whether a table that SQL asked for was loaded already.",
            ["result"],
            registry=registry,
        )
        self._refused = Counter(
            "losant_mcp_refused_requests",
            "HTTP requests that were refused at the door.",
            ["status"],
            registry=registry,
        )
        self.pending = Gauge(
            "losant_mcp_pending_approvals",
            "Plans that wait for a person's answer.",
            registry=registry,
        )
        self.callers = Gauge(
            "losant_mcp_callers", "Callers whose server is in memory.", registry=registry
        )
        self.in_progress = Gauge(
            "losant_mcp_requests_in_progress",
            "HTTP requests that are being answered.",
            ["kind"],
            registry=registry,
        )

    def called(self, call: ToolCall) -> None:
        """A tool's call has ended."""
        super().called(call)
        self._calls.labels(call.tool or "unknown", call.outcome).inc()
        self._call_seconds.labels(call.tool or "unknown").observe(call.seconds)

    def failed(self, tool: str, kind: str) -> None:
        """A tool's call has ended with this kind of error."""
        self._call_errors.labels(tool, kind).inc()

    def requested(self, endpoint: str, status: str, seconds: float, attempt: int) -> None:
        """One attempt of a request to Losant has ended."""
        self._requests.labels(endpoint, status).inc()
        self._request_seconds.observe(seconds)
        if attempt > 1:
            self._retries.labels(endpoint).inc()
        if not status.isdigit():
            self._errors.labels(status).inc()

    def cached(self, *, hit: bool) -> None:
        """A table was asked for that may already be loaded."""
        self._cache.labels("hit" if hit else "miss").inc()

    def refused(self, status: int) -> None:
        """A request was refused at the door."""
        self._refused.labels(str(status)).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
