"""Spans of what a call is made of, for whoever collects them by OpenTelemetry.

The SDK opens a span for each message, joined to the caller's trace; these are its children:
requests to Losant, loads and statements, and the phases of the guard. Without a collector they
cost some microseconds. An attribute says what was done and how it ended, never what anybody's
data say: no argument, no id, no text of an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, StatusCode, get_tracer

from losant_mcp import __version__

_tracer = get_tracer("losant_mcp", __version__)


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, str | int | bool] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """A span for the block; where it raises, the kind of error is noted and nothing of its text."""
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(StatusCode.ERROR)
            raise


@contextmanager
def in_trace_of(traceparent: str, tracestate: str) -> Iterator[None]:
    """What begins in the block belongs to the trace that the headers of an HTTP request name.

    What a message itself says of its trace comes first: the SDK looks there.
    """
    token = attach(extract({"traceparent": traceparent, "tracestate": tracestate}))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def request_span(action: str, method: str, template: str) -> Iterator[Span]:
    """A span for one request to Losant with all its attempts; ``template`` is the path's."""
    about = {"http.request.method": method, "url.template": template}
    with span(f"losant {action}", about, kind=SpanKind.CLIENT) as current:
        yield current
