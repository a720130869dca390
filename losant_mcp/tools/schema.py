"""Input and output schemas as every host understands them, in as few tokens as they need.

No ``$ref`` and no ``$defs`` (several hosts mishandle them), no null unions, no titles. What a
model needs no reminding of (patterns, lengths) is left to the validation, whose errors tell it.
"""

from __future__ import annotations

from typing import Any

JsonSchema = dict[str, Any]

_LEFT_OUT = {
    *("$defs", "title", "pattern", "minLength", "maxLength"),
    *("minItems", "maxItems", "minimum"),
}


def portable(schema: JsonSchema) -> JsonSchema:
    """The schema with references inlined and with what hosts do not need left out."""
    result = _walk(schema, schema.get("$defs", {}))
    assert isinstance(result, dict)
    return result


def _walk(node: Any, definitions: JsonSchema) -> Any:
    if isinstance(node, list):
        return [_walk(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if reference := node.get("$ref"):
        rest = {key: value for key, value in node.items() if key != "$ref"}
        # A model's docstring is for its reader in the code, not for the model that calls.
        definition = definitions[reference.rsplit("/", 1)[-1]]
        node = {k: v for k, v in definition.items() if k != "description"} | rest
    if branches := _without_null(node.get("anyOf")):
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        node = {**branches[0], **rest} if len(branches) == 1 else {**rest, "anyOf": branches}
        return _walk(node, definitions)
    result: JsonSchema = {}
    for key, value in node.items():
        if key == "properties":
            result[key] = {name: _walk(inner, definitions) for name, inner in value.items()}
        elif key == "anyOf":
            result[key] = _distinct(_walk(value, definitions))
        elif key in ("default", "additionalProperties") and value in (None, True):
            if value is True and key == "default":
                result[key] = value
        elif key not in _LEFT_OUT:
            result[key] = _walk(value, definitions)
    return result


def _distinct(branches: list[Any]) -> list[Any]:
    """The branches without integers where any number will do."""
    return [b for b in branches if b != {"type": "integer"} or {"type": "number"} not in branches]


def _without_null(branches: Any) -> list[Any] | None:
    if not branches or {"type": "null"} not in branches:
        return None
    return [branch for branch in branches if branch != {"type": "null"}]
