"""Every tool with what its schema lets pass, with what it does not, and with what nobody would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from mcp import MCPError

from losant_mcp.api.endpoint import Effect
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, JsonObject, check_error, content, text_of
from tests.contract.instances import instances, strayed
from tests.fuzz.examples import examples
from tests.fuzz.following import follow, is_json, settled
from tests.served import Sandbox
from tests.tools.plausible import arguments, ids_in

# All of this happens behind the protocol, so one version of it is enough.
pytestmark = pytest.mark.parametrize("mode", ["auto"])

NEVER = (Effect.READ, Effect.DESTROY)
"""What changes nothing: a read, and a destruction that nobody agreed to."""

PLACEHOLDERS = ("<eventId>", "your-id-here", "0" * 24, "1234567890" * 3, "null", "../../me", "%00")
DEEP = 120
"""Deeper, and the client of these tests cannot write it; stdio gets what is deeper."""

Calls = st.SearchStrategy[tuple[str, JsonObject]]


def _calls(given: Mapping[str, JsonObject], *, bound: bool) -> Calls:
    return st.one_of(
        [
            st.tuples(st.just(name), _arguments(name, sent, bound=bound))
            for name, sent in given.items()
        ]
    )


def _arguments(name: str, plausible: JsonObject, *, bound: bool) -> st.SearchStrategy[JsonObject]:
    schema = TOOLS[name].input_schema(bound=bound)
    base = st.one_of(st.just(plausible), instances(schema))
    known = sorted(schema["properties"]) or ["x"]
    odd = st.sampled_from([*PLACEHOLDERS, "x" * 300_000, _deep([]), -(2**63), 1e300, "-9999999d"])
    put = st.tuples(st.just(plausible), st.sampled_from(known), odd)
    replaced = put.map(lambda parts: {**parts[0], parts[1]: parts[2]})
    return st.one_of(base, strayed(base), strayed(base), replaced).filter(
        lambda value: isinstance(value, dict) and is_json(value)
    )


def _deep(leaf: Any) -> Any:
    for _ in range(DEEP):
        leaf = [leaf]
    return leaf


@examples(350)
async def test_a_tool_answers_whatever_it_is_asked(
    connect: Connect, sandbox: Sandbox, fuzzing: settings
) -> None:
    """A result or one clear paragraph; what is refused, reads or destroys unasked does no harm."""
    client = await connect()
    given = arguments(ids_in(sandbox.store))
    told: Counter[bool] = Counter()

    async def one(call: tuple[str, JsonObject]) -> None:
        name, sent = call
        before = settled(sandbox)
        answer = await client.call_tool(name, sent)
        told[answer.is_error] += 1
        if answer.is_error:
            check_error(text_of(answer))
        else:
            content(answer)
        if answer.is_error or TOOLS[name].effect in NEVER:
            assert settled(sandbox) == before

    await follow(fuzzing, _calls(given, bound=True), one)
    assert min(told[True], told[False]) >= 30, told


@examples(80)
async def test_a_server_that_may_only_read_changes_nothing(
    connect: Connect, sandbox: Sandbox, fuzzing: settings
) -> None:
    """Whatever is called, and whatever with, the database stays as it was; unbound, too."""
    client = await connect(access="read", bound=False)
    own = {"applicationId": sandbox.application_id}
    given = {name: {**own, **sent} for name, sent in arguments(ids_in(sandbox.store)).items()}
    before = settled(sandbox)

    async def one(call: tuple[str, JsonObject]) -> None:
        name, sent = call
        if TOOLS[name].effect is Effect.READ:
            answer = await client.call_tool(name, sent)
            if answer.is_error:
                check_error(text_of(answer))
        else:
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool(name, sent)
        assert settled(sandbox) == before

    await follow(fuzzing, _calls(given, bound=False), one)
