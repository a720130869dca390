"""Resource URIs: read, or refused with a code of the protocol."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from mcp import MCPError

from tests.calling import Connect, check_error
from tests.fuzz.examples import examples
from tests.fuzz.following import follow, settled
from tests.served import Sandbox

pytestmark = pytest.mark.parametrize("mode", ["auto"])

PARTS = (
    *("losant:", "//", "/", "events", "new", "digest", "data-tables", "guides", "sql", "guard"),
    *("applications", "0" * 24, "5f0c0de03000000000000001", "5f0c0de00000000000000001", "sites"),
    *("..", ".", "%2e%2e", "%2F", "%00", "%ff", "%", "?x=1", "#top", "{dataTableId}", " ", "\n"),
    *(
        "file:",
        "http:",
        "etc",
        "passwd",
        "é",
        "\u202e",
        "x" * 3000,
        "LOSANT:",
        "@",
        ":80",
        "[",
        "'",
    ),
)
WELL_KNOWN = (
    *("losant://events/new", "losant://events/digest", "losant://data-tables"),
    *("losant://data-tables/5f0c0de03000000000000001", "losant://guides/sql"),
)
URIS = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=8).map("".join),
    st.lists(st.sampled_from(PARTS), max_size=5).map(lambda parts: "losant://" + "/".join(parts)),
    st.builds("{}{}".format, st.sampled_from(WELL_KNOWN), st.sampled_from(["", *PARTS])),
    st.text(st.characters(codec="utf-8"), max_size=40),
)
REFUSALS = {-32602, -32002}
"""Invalid parameters, and (until 2025-11-25) a resource that is not there."""


@examples(80)
async def test_a_uri_is_read_or_refused(
    connect: Connect, sandbox: Sandbox, fuzzing: settings
) -> None:
    """Nothing outside of losant:// is read, nothing is changed, and every refusal is in words."""
    client = await connect()
    before = settled(sandbox)
    read: set[str] = set()

    async def one(uri: str) -> None:
        try:
            await client.read_resource(uri)
        except MCPError as error:
            codes.add(error.error.code)
            check_error(error.error.message)
        else:
            read.add(uri)

    codes: set[int] = set()
    await follow(fuzzing, URIS, one)
    assert codes <= REFUSALS
    assert read
    assert all(uri.lower().startswith("losant://") for uri in read)
    assert settled(sandbox) == before
