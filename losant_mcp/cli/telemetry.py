"""Spans on their way to a collector, where OpenTelemetry's own variables name one.

What the variables mean is OpenTelemetry's (``OTEL_EXPORTER_OTLP_ENDPOINT``, ``_HEADERS``,
``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER`` ...); here it is only looked whether there is one.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable

from losant_mcp import __version__

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

log = logging.getLogger(__name__)


def start_telemetry() -> Callable[[], None]:
    """Send spans to the collector, if one is named; the result sends the last ones, and ends it."""
    if not any(map(os.environ.get, ENDPOINTS)):
        return lambda: None
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        log.warning("%s is set, but not the extra: pip install 'losant-mcp[otel]'", ENDPOINTS[0])
        return lambda: None
    # Loaded here: they take a while, and most servers have no collector.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import set_tracer_provider

    about = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "losant-mcp")}
    resource = Resource.create({**about, "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(provider)
    log.info("sending spans to the collector")
    return provider.shutdown
