"""read_guide as a model calls it."""

from __future__ import annotations

from losant_mcp import guides
from losant_mcp.tools.results import BYTES_PER_TOKEN, size
from losant_mcp.tools.spec import TOOLS
from tests.calling import Connect, asked, refusal, result
from tests.served import Sandbox
from tests.tools.test_tokens import cost


async def test_a_guide_comes_whole_and_asks_losant_nothing(
    connect: Connect, sandbox: Sandbox
) -> None:
    """The text is that of the package, and is not marked as somebody else's."""
    client = await connect()
    for name in guides.names():
        guide = guides.read(name)
        found = await result(client, "read_guide", name=name)
        assert found == {"name": name, "title": guide.title, "text": guide.text}
    assert asked(sandbox) == []


async def test_an_unknown_guide_is_an_error_that_lists_them(connect: Connect) -> None:
    """A model that guessed learns what there is."""
    text = await refusal(await connect(), "read_guide", name="charts")
    assert all(name in text for name in guides.names())


async def test_a_guide_stays_within_a_small_budget(connect: Connect) -> None:
    """What a small budget cuts off is told."""
    client = await connect(result_tokens=500)
    for name in guides.names():
        found = await result(client, "read_guide", name=name)
        assert size(found) <= 500 * BYTES_PER_TOKEN
        assert "token budget" in found["truncated"]


def test_the_definition_is_short() -> None:
    """It is sent with every request, of every user."""
    assert cost(TOOLS["read_guide"], bound=True) <= 90
