"""The published contract as Python can check it: actions, schemas, examples."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from pydantic import BaseModel

from losant_mcp.api import data, events, lookup, query, tables, types

JsonSchema = dict[str, Any]

REQUESTS: Mapping[str, type[types.RequestModel] | type[types.RequestRoot[Any]]] = {
    "advancedApplicationJobLogQuery": query.AdvancedApplicationJobLogQuery,
    "advancedDeviceQuery": query.AdvancedDeviceQuery,
    "advancedEventQuery": query.AdvancedEventQuery,
    "advancedQuery": query.AdvancedQuery,
    "dataTableColumn": tables.DataTableColumn,
    "dataTablePatch": tables.DataTablePatch,
    "dataTablePost": tables.DataTablePost,
    "dataTableRowInsert": tables.RowInsert,
    "dataTableRowInsertUpdate": tables.RowUpdate,
    "dataTableRowsExport": tables.DataTableRowsExport,
    "devicesDataExport": data.DevicesDataExport,
    "eventPatch": events.EventPatch,
    "eventPost": events.EventPost,
    "eventsExport": events.EventsExport,
    "lastValueQuery": data.LastValueQuery,
    "timeSeriesQuery": data.TimeSeriesQuery,
}
"""The model of each schema that a request is checked by."""

RESPONSES: Mapping[str, type[types.ResponseModel]] = {
    "application": lookup.Application,
    "applicationJobLog": lookup.JobLog,
    "applicationJobLogs": lookup.JobLogs,
    "applications": lookup.Applications,
    "dataTable": tables.DataTable,
    "dataTableRow": tables.DataTableRow,
    "dataTableRowInsertResult": tables.RowsInserted,
    "dataTableRows": tables.DataTableRows,
    "dataTableRowsDelete": tables.RowsDeleted,
    "dataTables": tables.DataTables,
    "device": lookup.Device,
    "devices": lookup.Devices,
    "error": types.ErrorBody,
    "event": events.Event,
    "eventPlusNewCount": events.EventPlusNewCount,
    "events": events.Events,
    "eventsDeleted": events.EventsDeleted,
    "jobEnqueuedResult": types.JobEnqueued,
    "lastValueData": data.LastValueData,
    "success": types.Success,
    "timeSeriesData": data.TimeSeriesData,
}
"""The model of each schema that an answer is read by."""

QUERY_SCHEMAS = tuple(
    name for name, model in REQUESTS.items() if issubclass(model, query.QueryBody)
)


def schema_name(model: type[BaseModel] | None) -> str | None:
    """The schema that a model stands for."""
    names: dict[type[BaseModel], str] = {
        known: name for name, known in (*REQUESTS.items(), *RESPONSES.items())
    }
    return None if model is None else names[model]


class Published:
    """The contract folder, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.examples: dict[str, Any] = self._read("examples.json")
        described = self._read("actions.json")
        self.base_url: str = described["base_url"]
        self.actions: dict[str, dict[str, Any]] = {
            f"{action['resource']}.{action['action']}": action
            for action in described["actions"]
            if action["group"] in ("core", "lookup")
        }

    @functools.cached_property
    def definitions(self) -> JsonSchema:
        """What ``#/definitions/...`` means; the published files leave it out."""
        return {name: readable(self._read(f"schemas/{name}.json")) for name in QUERY_SCHEMAS}

    @functools.cache  # noqa: B019 - one instance lives as long as the session
    def schema(self, name: str) -> JsonSchema:
        """A schema that stands on its own, with patterns in Python's spelling."""
        schema: JsonSchema = readable(self._read(f"schemas/{name}.json"))
        return {**schema, "definitions": self.definitions}

    @functools.cache  # noqa: B019 - one instance lives as long as the session
    def validator(self, name: str) -> Draft7Validator:
        """Gives the published verdict; formats are unasserted."""
        return Draft7Validator(self.schema(name))

    def complaints(self, name: str, instance: Any) -> list[str]:
        """What the schema says against the instance, with the place of each complaint."""
        return [
            f"{error.json_path}: {error.message[:300]}"
            for error in self.validator(name).iter_errors(instance)
        ]

    def _read(self, path: str) -> Any:
        return json.loads((self._folder / path).read_text(encoding="utf-8"))


def readable(node: Any, key: str = "") -> Any:
    """The same schema with ECMA 262 patterns as Python reads them, and job logs repaired.

    In ECMA 262, which JSON Schema prescribes, ``$`` matches at the very end only and ``\\d`` is
    an ASCII digit. The job log's ``input`` and ``output`` are published as bare maps, which
    check nothing; the client's next version wraps them as here.
    """
    if isinstance(node, list):
        return [readable(item) for item in node]
    if not isinstance(node, dict):
        return node
    if key in ("input", "output") and "type" not in node and "properties" not in node:
        node = {"type": "object", "properties": node}
    if key == "patternProperties":
        return {_python_pattern(pattern): readable(value) for pattern, value in node.items()}
    if isinstance(node.get("pattern"), str):
        node = {**node, "pattern": _python_pattern(node["pattern"])}
    return {name: readable(value, name) for name, value in node.items()}


def _python_pattern(pattern: str) -> str:
    return f"(?a:{pattern.replace('$', chr(92) + 'Z')})"
