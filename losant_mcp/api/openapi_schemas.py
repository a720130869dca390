"""The component schemas of the OpenAPI document: the models, and the grammar of advanced queries.

Pydantic writes the schemas of the models; what they leave to validators is added here, so that a
schema accepts what its model accepts as far as JSON Schema can say it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from losant_mcp.api.query import (
    LOGIC,
    MAX_DEPTH,
    MAX_TAG_TEXT,
    AdvancedApplicationJobLogQuery,
    AdvancedDeviceQuery,
    AdvancedEventQuery,
    AdvancedQuery,
    Kind,
    QueryBody,
    Subject,
)
from losant_mcp.api.query_values import COMPARISONS, MAX_ITEMS, SETS, TEXT_TESTS
from losant_mcp.api.types import KEY, OBJECT_ID, ErrorBody, JsonObject, refuses_null

REFERENCE = "#/components/schemas/{model}"

_QUERIES: tuple[type[QueryBody], ...] = (
    AdvancedQuery,
    AdvancedEventQuery,
    AdvancedDeviceQuery,
    AdvancedApplicationJobLogQuery,
)
_KINDS: dict[Kind, str] = {"value": "QueryValue", "id": "QueryId", "tags": "QueryTags"}


def component_schemas(models: Iterable[type[BaseModel]]) -> JsonObject:
    """The schemas of the models and of all advanced queries, by name."""
    wanted: list[type[BaseModel]] = [*models, ErrorBody]
    _, schema = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(wanted)],
        ref_template=REFERENCE,
        schema_generator=_Generator,
        union_format="primitive_type_array",
    )
    queries = {body.__name__: _query(body) for body in _QUERIES}
    return dict(sorted({**schema["$defs"], **queries, **_PARTS}.items()))


def reference(model: type[BaseModel]) -> JsonObject:
    """A reference to a model's schema."""
    return _ref(model.__name__)


def query_reference(subject: Subject) -> JsonObject:
    """A reference to the schema of queries over a subject."""
    return reference(next(body for body in _QUERIES if body.subject is subject))


def _ref(name: str) -> JsonObject:
    return {"$ref": REFERENCE.format(model=name)}


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas without titles and defaults, and with null only where it may be sent."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # pydantic's own signature
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonObject:
        result = super().model_schema(schema)
        del result["title"]
        if result.get("additionalProperties") in (True, {}):
            del result["additionalProperties"]
        result["description"] = result["description"].replace("``", "`")
        return result

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonObject:
        # Our models' defaults stand for what is missing; Losant knows nothing of them.
        return self.generate_inner(schema["schema"])

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonObject:
        inner = schema["schema"]
        if refuses_null(schema["function"]["function"]) and inner["type"] == "nullable":
            return self.generate_inner(inner["schema"])
        return super().function_before_schema(schema)

    def str_schema(self, schema: core_schema.StringSchema) -> JsonObject:
        result = super().str_schema(schema)
        return {k: v for k, v in result.items() if (k, v) != ("minLength", 0)}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonObject:
        result = super().dict_schema(schema)
        if "patternProperties" in result:
            result["additionalProperties"] = False
        elif result.get("additionalProperties") is True:
            del result["additionalProperties"]
        return result

    def get_union_of_schemas(self, schemas: list[JsonObject]) -> JsonObject:
        if {"type": "number"} in schemas:
            schemas = [schema for schema in schemas if schema != {"type": "integer"}]
        return super().get_union_of_schemas(schemas) if len(schemas) > 1 else schemas[0]


# ---- advanced queries ----------------------------------------------------------------------


def _query(body: type[QueryBody]) -> JsonObject:
    """The grammar of queries over one subject."""
    itself = _ref(body.__name__)
    subject = body.subject
    fields = {name: _ref(_KINDS[kind]) for name, kind in subject.fields.items()}
    logic = {name: {"type": "array", "items": itself, "maxItems": MAX_ITEMS} for name in LOGIC}
    return {
        "type": "object",
        "description": f"{(body.__doc__ or '').rstrip('.')}. All conditions must hold; `$and`, "
        f"`$or` and `$nor` nest at most {MAX_DEPTH} deep.",
        "properties": {**logic, **fields},
        # Any column of the table, of which the document knows nothing.
        **({"patternProperties": {KEY: _ref("QueryValue")}} if subject.open else {}),
        "additionalProperties": False,
    }


def _object(properties: JsonObject, **more: int) -> JsonObject:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _set(item: JsonObject) -> JsonObject:
    return {"type": "array", "items": item, "maxItems": MAX_ITEMS}


_TEXT = {"type": "string", "maxLength": MAX_TAG_TEXT}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_IN_SET = {"type": ["string", "number", "boolean"]}
_ID = {"type": ["string", "null"], "pattern": OBJECT_ID}
_NO_NULL_ID = {"type": "string", "pattern": OBJECT_ID}

_PARTS: JsonObject = {
    "QueryValue": {
        "description": "A value that must be equal, or tests that must all hold.",
        "anyOf": [
            _SCALAR,
            _object(
                {
                    **dict.fromkeys(COMPARISONS, _SCALAR),
                    **{name: {"type": "string", "minLength": 1} for name in TEXT_TESTS},
                    "$ci": {"type": "boolean", "description": "Whether texts match in any case"},
                    **dict.fromkeys(SETS, _set(_IN_SET)),
                }
            ),
        ],
    },
    "QueryId": {
        "description": "An id that must be equal, or exactly one test.",
        "anyOf": [
            _ID,
            _object(
                {**dict.fromkeys(COMPARISONS, _ID), **dict.fromkeys(SETS, _set(_NO_NULL_ID))},
                minProperties=1,
                maxProperties=1,
            ),
        ],
    },
    "QueryTags": {
        "description": 'Tags: `{"floor": "8"}`, or `{"$tagKey": "floor", "$tagValue": "8"}`, or '
        "null for none; or one of these in `$eq` or `$ne`.",
        "anyOf": [
            _ref("QueryPlainTags"),
            *(
                {**_object({operator: _ref("QueryPlainTags")}), "required": [operator]}
                for operator in ("$eq", "$ne")
            ),
        ],
    },
    "QueryPlainTags": {
        "anyOf": [
            {"type": "null"},
            _object(dict.fromkeys(("$tagKey", "$tagValue"), _ref("QueryTagText")), minProperties=1),
            {
                "type": "object",
                # Without a final anchor, as Losant publishes it.
                "patternProperties": {KEY.removesuffix("$"): _ref("QueryTagText")},
                "additionalProperties": False,
            },
        ],
    },
    "QueryTagText": {
        "anyOf": [
            {**_TEXT, "type": ["string", "null"]},
            *({**_object({name: _set(_TEXT)}), "required": [name]} for name in SETS),
        ],
    },
}
"""What the queries are made of."""
