"""The README says what is there: its tables and help are generated, its examples hold."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest

from losant_mcp.cli import COMMANDS
from losant_mcp.config import VARIABLES, Access, Settings
from losant_mcp.server import INSTRUCTIONS
from losant_mcp.tools.listing import listed
from tests.readme import PARTS, README, parts_of, updated, without_effect

TEXT = README.read_text(encoding="utf-8")


def test_the_generated_parts_are_up_to_date() -> None:
    """Tools, settings and help are as the code has them; `make readme` writes them anew."""
    assert updated(TEXT) == TEXT


def test_every_part_is_there_once() -> None:
    """No marker was lost in an edit."""
    assert sorted(parts_of(TEXT)) == sorted(PARTS)


def test_everything_a_user_can_name_is_documented() -> None:
    """Every tool, setting and command has its place."""
    assert all(f"| `{spec.name}` |" in TEXT for spec in listed(Settings()))
    assert all(f"| `{name}`" in TEXT for name in VARIABLES)
    assert all(f"$ losant-mcp {name} --help" in TEXT for name in COMMANDS)


@pytest.mark.parametrize("block", re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))
def test_a_configuration_example_is_valid_json(block: str) -> None:
    """What a reader pastes into a client's configuration starts our server."""
    servers = json.loads(block)
    [server] = (servers.get("mcpServers") or servers["servers"]).values()
    assert server["command"].endswith("losant-mcp")
    assert server["args"][0] == "serve"
    assert set(server.get("env", {})) <= set(VARIABLES)


def test_a_variable_that_the_text_names_exists() -> None:
    """The prose names no setting that is not there."""
    named = set(re.findall(r"LOSANT_[A-Z_]*[A-Z]", TEXT))
    assert named <= set(VARIABLES)


def test_a_setting_that_nothing_reads_is_found() -> None:
    """The check itself sees what is read and what is not."""
    unused = without_effect()
    assert unused < set(Settings.model_fields)
    assert not {"api_token", "access", "toolsets", "result_tokens"} & unused


def test_the_first_command_is_on_the_first_screen() -> None:
    """A newcomer sees within 25 lines what to type."""
    assert "make demo" in "\n".join(TEXT.splitlines()[:25])


def _o200k() -> Any:  # published without types
    with warnings.catch_warnings():
        # The package reads its data by a function that Python is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        from bpe_openai import get_encoding

        return get_encoding("o200k_base")


@pytest.mark.parametrize(
    ("access", "claim"),
    [
        ("full", r"about ([\d,]+) tokens for all (\d+) tools"),
        ("read", r"LOSANT_MCP_ACCESS=read` \| about ([\d,]+) tokens()"),
    ],
)
def test_the_stated_cost_of_the_tools_holds(access: Access, claim: str) -> None:
    """What the README says that the definitions cost is true within five percent."""
    stated = re.search(claim, TEXT)
    assert stated is not None
    specs = listed(Settings(access=access))
    facts = [
        {
            "name": spec.name,
            "description": spec.description,
            "inputSchema": spec.input_schema(bound=True),
        }
        for spec in specs
    ]
    texts = [
        INSTRUCTIONS,
        *(json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in facts),
    ]
    encoding = _o200k()
    tokens = sum(len(encoding.encode(text)) for text in texts)
    assert tokens == pytest.approx(int(stated[1].replace(",", "")), rel=0.05)
    assert stated[2] in ("", str(len(specs)))
