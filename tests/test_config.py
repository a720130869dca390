"""Settings: read once, told precisely where they are wrong, and never from where they may not."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import SecretStr, ValidationError

from losant_mcp.config import (
    TOOLSETS,
    VARIABLES,
    Settings,
    Toolset,
    is_protected,
    variable,
)
from losant_mcp.config.loading import load_settings
from losant_mcp.errors import ConfigurationError, describe

TOKEN = "eyJ0.aGVsbG8.secret-token"
ID = "5f0c0de00000000000000001"

PROTECTED = {
    *("LOSANT_API_URL", "LOSANT_MCP_ACCESS", "LOSANT_MCP_CONFIRM", "LOSANT_MCP_ASK"),
    *("LOSANT_MCP_APPROVE", "LOSANT_MCP_STATE_DIR", "LOSANT_MCP_STATE_URL"),
    "LOSANT_MCP_STATE_KEY",
}
"""What the design marks with a star; more may be protected, but none of these less."""


def _error(environ: dict[str, str], **more: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ, **more)
    text = describe(caught.value)
    assert TOKEN not in text
    return text


def test_without_anything_the_defaults_hold() -> None:
    """Losant's own API, everything listed, a person asked."""
    settings = load_settings({})
    assert settings == Settings()
    assert settings.api_url == "https://api.losant.com"
    assert settings.toolsets == TOOLSETS == get_args(Toolset)
    assert (settings.access, settings.confirm) == ("full", "human")
    assert settings.result_tokens == 8000


def test_every_setting_has_a_variable_of_its_own() -> None:
    """Its prefix tells whether it is about the API, the application or this server."""
    assert len(VARIABLES) == len(Settings.model_fields)
    for name in VARIABLES:
        assert name.startswith(("LOSANT_API_", "LOSANT_APPLICATION_ID", "LOSANT_MCP_"))
    for field in Settings.model_fields.values():
        assert field.description


def test_the_settings_that_protect_are_protected() -> None:
    """A file in a folder that somebody else prepared must not open the server."""
    assert {variable(name) for name in Settings.model_fields if is_protected(name)} >= PROTECTED


def test_a_flag_goes_before_the_environment_before_a_file() -> None:
    """The nearer to the person, the stronger; an empty value is none."""
    file = {"LOSANT_MCP_RESULT_TOKENS": "1000", "LOSANT_MCP_MAX_ROWS": "5", "OTHER": "x"}
    environ = {"LOSANT_MCP_RESULT_TOKENS": "2000", "LOSANT_MCP_TOOLSETS": "  ", "PATH": "/bin"}
    settings = load_settings(environ, file=file)
    assert (settings.result_tokens, settings.max_rows) == (2000, 5)
    assert settings.toolsets == TOOLSETS
    flags = {"result_tokens": "3000", "max_rows": None}
    assert load_settings(environ, flags=flags, file=file).result_tokens == 3000
    assert load_settings(environ, flags=flags, file=file).max_rows == 5


def test_values_are_read_from_text() -> None:
    """Lists by commas, blanks around them left out."""
    settings = load_settings(
        {
            "LOSANT_API_TOKEN": f" {TOKEN}\n",
            "LOSANT_APPLICATION_ID": ID,
            "LOSANT_MCP_TOOLSETS": "events, data,events",
            "LOSANT_MCP_DENY": "truncate_rows, my table ,",
            "LOSANT_MCP_TIME_ZONE": "Europe/Berlin",
        }
    )
    assert settings.api_token == SecretStr(TOKEN)
    assert settings.toolsets == ("events", "data")
    assert settings.deny == ("truncate_rows", "my table")
    assert load_settings({"LOSANT_MCP_TOOLSETS": "all"}).toolsets == TOOLSETS
    assert load_settings({"LOSANT_MCP_TOOLSETS": "events,all"}).toolsets == TOOLSETS


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("LOSANT_MCP_ACESS", "LOSANT_MCP_ACCESS"),
        ("LOSANT_MCP_RESULTTOKENS", "LOSANT_MCP_RESULT_TOKENS"),
        ("losant_mcp_access", "LOSANT_MCP_ACCESS"),
        ("LOSANT_MCP_WHATEVER_THIS_IS", "LOSANT_MCP_"),
        # One letter amiss here would silently open every application.
        ("LOSANT_APLICATION_ID", "LOSANT_APPLICATION_ID"),
        ("LOSANT_API_TOKN", "LOSANT_API_TOKEN"),
    ],
)
def test_an_unknown_setting_stops_the_start_with_the_nearest_name(name: str, near: str) -> None:
    """From the environment as from a file."""
    for text in (_error({name: "x"}), _error({}, file={name: "x"})):
        assert f"Unknown setting {name}. Did you mean {near}" in text


def test_variables_of_other_programs_are_none_of_ours() -> None:
    """Losant's own tools have LOSANT_ variables, too."""
    load_settings({"LOSANT_USER": "x", "LOSANT_DEVICE_ID": "y", "MCP_ACCESS": "z"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LOSANT_MCP_ACCESS", "reed", "'read', 'write' or 'full'. Did you mean 'read'?"),
        ("LOSANT_MCP_ACCESS", "READ", "Did you mean 'read'?"),
        ("LOSANT_MCP_CONFIRM", "humans", "Did you mean 'human'?"),
        ("LOSANT_MCP_TOOLSETS", "events,table", "Did you mean 'tables'?"),
        ("LOSANT_MCP_TOOLSETS", ",", "names no toolset"),
        ("LOSANT_MCP_LOG_LEVEL", "warn", "Did you mean 'warning'?"),
        ("LOSANT_MCP_TIME_ZONE", "Europe/Berln", "did you mean Europe/Berlin?"),
        ("LOSANT_MCP_RESULT_TOKENS", "100", "greater than or equal to 500"),
        ("LOSANT_MCP_RESULT_TOKENS", "many", "valid integer"),
        ("LOSANT_APPLICATION_ID", "my-app", "an id of 24 hexadecimal characters"),
        ("LOSANT_API_URL", "api.losant.com", "an address such as https://api.losant.com"),
        ("LOSANT_API_TOKEN", "two words", "one word of ASCII characters"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_does(
    name: str, value: str, expected: str
) -> None:
    """The variable is named, and the nearest value where there are choices."""
    text = _error({name: value})
    assert text.startswith(name)
    assert expected in text
    assert "pydantic" not in text


def test_several_wrong_values_are_told_at_once() -> None:
    """So that one start shows all of them."""
    text = _error({"LOSANT_MCP_ACCESS": "x", "LOSANT_MCP_LOG_FORMAT": "y"})
    assert "LOSANT_MCP_ACCESS" in text
    assert "LOSANT_MCP_LOG_FORMAT" in text


@pytest.mark.parametrize("name", sorted(PROTECTED))
def test_a_protected_setting_is_refused_in_a_file(name: str) -> None:
    """Even an empty one: whoever wrote it meant something."""
    for value in ("read", ""):
        assert f"{name} may not come from a file." in _error({}, file={name: value})


def test_a_token_may_come_from_a_file() -> None:
    """That is what such a file is for."""
    assert load_settings({}, file={"LOSANT_API_TOKEN": TOKEN}).api_token == SecretStr(TOKEN)


def test_secrets_appear_in_no_text() -> None:
    """Neither of the settings nor of an error about them."""
    settings = load_settings(
        {
            "LOSANT_API_TOKEN": TOKEN,
            "LOSANT_MCP_STATE_URL": f"redis://u:{TOKEN}@host",
            "LOSANT_MCP_STATE_KEY": TOKEN * 2,
        }
    )
    for text in (str(settings), repr(settings), f"{settings}", str(settings.model_dump())):
        assert "secret-token" not in text
    _error({"LOSANT_API_TOKEN": f"{TOKEN} {TOKEN}"})
    _error({"LOSANT_API_TOKEN": TOKEN, "LOSANT_MCP_ACCESS": "x"})


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (
            {"LOSANT_MCP_STATE_URL": f"redis://u:{TOKEN}@host"},
            "LOSANT_MCP_STATE_URL: takes LOSANT_MCP_STATE_KEY, the same on every replica.",
        ),
        (
            {"LOSANT_MCP_STATE_URL": f"https://u:{TOKEN}@host", "LOSANT_MCP_STATE_KEY": TOKEN * 2},
            "LOSANT_MCP_STATE_URL: must be an address such as redis://name:password@host:6379/0.",
        ),
        (
            {"LOSANT_MCP_STATE_URL": f"redis://u:{TOKEN}@host", "LOSANT_MCP_STATE_KEY": TOKEN},
            "LOSANT_MCP_STATE_KEY: must have at least 32 characters.",
        ),
    ],
    ids=["without a key", "not a Redis", "with a short key"],
)
def test_shared_state_is_sealed(environ: dict[str, str], words: str) -> None:
    """A state URL takes a key that is long enough, and no refusal shows either of them."""
    assert _error(environ) == words


def test_settings_cannot_change() -> None:
    """They are read once, and what was decided at the start stays."""
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.access = "read"  # type: ignore[misc]
