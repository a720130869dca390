"""Bad input for every tool: one clear paragraph, and not a byte is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from losant_mcp.api.endpoint import Effect
from losant_mcp.tools.arguments import FINDERS, Ref
from losant_mcp.tools.spec import TOOLS, ToolSpec
from tests.calling import Connect, asked, refusal, stored
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in

# All of this happens behind the protocol, so one version of it is enough; the files beside this
# one call every tool on both.
pytestmark = pytest.mark.parametrize("mode", ["auto"])

NOTHING = "Nothing was changed."


def _ending(spec: ToolSpec, text: str) -> bool:
    """Whether a refused write ends by saying so, and a refused read does not."""
    return text.endswith(NOTHING) == (spec.effect is not Effect.READ)


def _wrong(kind: str) -> Any:
    """A value of another type than the schema's."""
    return {"array": {"no": "array"}, "object": ["no object"], "boolean": "maybe"}.get(kind, [{}])


def _arguments_by_name() -> Iterator[tuple[str, str]]:
    for name, spec in TOOLS.items():
        for argument in spec.arguments(bound=True):
            yield name, argument


def _references() -> Iterator[tuple[str, str, str]]:
    for name, spec in TOOLS.items():
        for argument, mark in spec.markers.items():
            if isinstance(mark, Ref) and mark.kind != "application":
                yield name, argument, mark.kind


async def test_a_value_of_another_type_is_refused(connect: Connect, sandbox: Sandbox) -> None:
    """Each argument of each tool, one by one, with a value of a type that it does not take."""
    client = await connect()
    before, given = stored(sandbox), arguments(ids_in(sandbox.store))
    for name, argument in _arguments_by_name():
        schema = TOOLS[name].input_schema(bound=True)["properties"][argument]
        if argument == "data":
            continue  # any JSON value will do
        wrong = _wrong(schema.get("type", ""))
        text = await refusal(client, name, **{**given[name], argument: wrong})
        assert argument in text, (name, argument, text)
        assert _ending(TOOLS[name], text), text
    assert stored(sandbox) == before


async def test_an_unknown_argument_is_refused_with_the_valid_ones(
    connect: Connect, sandbox: Sandbox
) -> None:
    """A misspelt one is told the nearest; Losant would drop it in silence."""
    client = await connect()
    before, given = stored(sandbox), arguments(ids_in(sandbox.store))
    for name, spec in TOOLS.items():
        valid = spec.arguments(bound=True)
        text = await refusal(client, name, **given[name], bogus_one=1)
        assert "There is no argument 'bogus_one'" in text
        assert f"Valid: {', '.join(valid) or 'none'}." in text
        if not valid:
            continue
        misspelt = valid[0] + "s"
        text = await refusal(client, name, **given[name], **{misspelt: 1})
        assert f"did you mean {valid[0]!r}?" in text
        assert _ending(spec, text)
    assert stored(sandbox) == before


async def test_a_missing_argument_is_named(connect: Connect, sandbox: Sandbox) -> None:
    """Each required argument, one by one, bound and unbound."""
    given = arguments(ids_in(sandbox.store))
    for bound in (True, False):
        client = await connect(bound=bound)
        own = {} if bound else {"applicationId": sandbox.application_id}
        for name, spec in TOOLS.items():
            required = spec.input_schema(bound=bound).get("required", ())
            for argument in required:
                some = {**(own if "applicationId" in required else {}), **given[name]}
                del some[argument]
                text = await refusal(client, name, **some)
                assert f"{argument} is required" in text
                assert _ending(spec, text)


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
async def test_a_blank_id_is_refused_with_the_tool_that_finds_it(
    connect: Connect, sandbox: Sandbox, blank: str
) -> None:
    """In every argument that refers to something, without asking Losant."""
    client = await connect()
    given = arguments(ids_in(sandbox.store))
    for name, argument, kind in _references():
        value = [blank] if argument == "deviceIds" else blank
        text = await refusal(client, name, **{**given[name], argument: value})
        assert f"{argument} is blank" in text
        assert FINDERS[kind] in text  # type: ignore[index]
        assert _ending(TOOLS[name], text)
    assert asked(sandbox) == []


PLACEHOLDERS = (
    *("<event-id>", "{eventId}", "[id]", "your-row-id", "eventId", "string", "undefined", "null"),
    *("xxx", "...", "0" * 24, "f" * 24, "123456789012345678901234", "0123456789abcdef01234567"),
)


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
async def test_a_placeholder_is_refused_with_the_tool_that_finds_the_id(
    connect: Connect, sandbox: Sandbox, placeholder: str
) -> None:
    """What a model writes when it does not know an id never reaches an object."""
    client = await connect()
    before, given = stored(sandbox), arguments(ids_in(sandbox.store))
    for name, argument, kind in _references():
        value = [placeholder] if argument == "deviceIds" else placeholder
        text = await refusal(client, name, **{**given[name], argument: value})
        finders = FINDERS[kind].replace(" or ", " ").split()  # type: ignore[index]
        assert finders[0] in text, text
        assert _ending(TOOLS[name], text)
    assert stored(sandbox) == before


async def test_a_table_may_be_called_like_a_placeholder(connect: Connect, sandbox: Sandbox) -> None:
    """People call tables what they like; only an id that is none is refused unseen."""
    client = await connect()
    for name in ("[old] sites", "id", "string"):
        await client.call_tool("create_data_table", {"name": name})
        answer = await client.call_tool("get_data_table", {"dataTableId": name})
        assert not answer.is_error, name


@pytest.mark.parametrize(
    ("tool", "given", "expected"),
    [
        ("list_events", {"perPage": 0}, "perPage should be greater than or equal to 1"),
        ("list_events", {"perPage": 1001}, "perPage should be less than or equal to 1000"),
        ("list_events", {"page": -1}, "page should be greater than or equal to 0"),
        ("list_events", {"state": "open"}, "state must be new, acknowledged or resolved"),
        ("list_events", {"sortField": "age"}, "sortField must be subject, id, creationDate"),
        ("list_events", {"fields": ["subjet"]}, "there is no field 'subjet'; did you mean"),
        ("list_events", {"fields": [1]}, "fields[0] must be a string"),
        ("create_event", {"level": "info", "subject": ""}, "subject must not be empty"),
        ("create_event", {"level": "info", "subject": "s" * 256}, "subject is longer than 255"),
        ("create_event", {"level": "info", "subject": "s", "message": "m" * 32768}, "message is"),
        (
            "create_event",
            {"level": "info", "subject": "s", "eventTags": {"a b": "c"}},
            "eventTags",
        ),
        (
            "create_event",
            {"level": "info", "subject": "s", "eventTags": {"a": 5}},
            "eventTags.a must be a string",
        ),
        ("list_rows", {"dataTableId": "sites", "limit": 10001}, "limit should be less than"),
        ("insert_rows", {"dataTableId": "sites", "rows": []}, "rows should have at least 1 item"),
        ("create_data_table", {"name": "n" * 256}, "name is longer than 255 characters"),
        (
            "create_data_table",
            {"name": "n", "columns": [{"name": "a b", "dataType": "text"}]},
            "columns[0].constraint is required",
        ),
        ("query_time_series", {"deviceQuery": {}, "limit": 5}, "limit is for aggregation NONE"),
        ("query_time_series", {"deviceQuery": {}, "aggregation": "AVG"}, "aggregation must be"),
        (
            "query_time_series",
            {"deviceQuery": {}, "aggregation": "TIMEATVALUE"},
            "TIMEATVALUE needs aggregationValue",
        ),
        ("query_time_series", {"deviceQuery": {}, "aggregationValue": 1}, "for TIMEATVALUE only"),
        (
            "query_time_series",
            {"deviceQuery": {}, "aggregation": "NONE", "resolution": 5},
            "resolution has no meaning",
        ),
        ("query_last_values", {"deviceQuery": {}, "attribute": "a b"}, "attribute must be a name"),
        ("list_jobs", {"jobId": "V1StGXR8_Z5jdHi6B-myT"}, "must be an id of 24 hexadecimal"),
        ("update_events", {"filter": "x", "state": "gone"}, "state must be new, acknowledged"),
    ],
)
async def test_a_value_that_does_not_fit_is_named_with_its_rule(
    connect: Connect, sandbox: Sandbox, tool: str, given: dict[str, Any], expected: str
) -> None:
    """Ranges, lengths, choices: the place, the rule, and nothing is sent."""
    client = await connect()
    before = stored(sandbox)
    text = await refusal(client, tool, **given)
    assert expected in text, text
    assert _ending(TOOLS[tool], text)
    assert stored(sandbox) == before
    assert set(asked(sandbox)) <= {"dataTables.get"}


async def test_an_error_never_repeats_a_value(connect: Connect) -> None:
    """What was given may be secret, hostile or very long."""
    client = await connect()
    for name, given in (
        ("list_events", {"state": "hunter2-secret"}),
        ("list_events", {"perPage": "hunter2-secret"}),
        ("create_event", {"level": "hunter2-secret", "subject": "s"}),
        ("query_rows", {"dataTableId": "sites", "query": "hunter2-secret"}),
        ("create_event", {"level": "info", "subject": "hunter2-secret" * 50}),
    ):
        assert "hunter2-secret" not in await refusal(client, name, **given)
