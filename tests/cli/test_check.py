"""`losant-mcp check`: what is set, whether it works, and what to do if not."""

from __future__ import annotations

from pathlib import Path

import pytest

from losant_mcp.config import Settings, variable
from tests.cli.command import Run
from tests.served import Sandbox


def test_a_working_setup_is_usable(run: Run, on_sandbox: Sandbox) -> None:
    """Everything is told, and the exit code is 0."""
    told = run("check")
    assert told.exit_code == 0, told.stdout + told.stderr
    assert told.stdout.endswith("Usable.\n")
    assert all(variable(name) in told.stdout for name in Settings.model_fields)
    assert on_sandbox.url in told.stdout
    assert "application.get: answered, " in told.stdout
    assert "all.User" in told.stdout
    assert "in 364 days" in told.stdout


def test_a_setting_is_told_with_its_origin(
    run: Run, on_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A flag wins over the environment, which wins over the file; the rest is default."""
    file = tmp_path / "losant.env"
    file.write_text(
        "LOSANT_MCP_RESULT_TOKENS=1000\n"
        "LOSANT_MCP_TIME_ZONE=UTC\n"
        "export LOSANT_MCP_LOG_FORMAT='json'\n"
    )
    monkeypatch.setenv("LOSANT_MCP_RESULT_TOKENS", "2000")
    monkeypatch.setenv("LOSANT_MCP_MAX_ROWS", "5")
    told = run("check", "--env-file", str(file), "--max-rows", "7")
    rows = {
        line.split()[0]: line.split()[1:] for line in told.stdout.splitlines() if "LOSANT_" in line
    }
    assert rows["LOSANT_MCP_RESULT_TOKENS"] == ["2000", "environment"]
    assert rows["LOSANT_MCP_TIME_ZONE"] == ["UTC", "file"]
    assert rows["LOSANT_MCP_LOG_FORMAT"] == ["json", "file"]
    assert rows["LOSANT_MCP_MAX_ROWS"] == ["7", "flag"]
    assert rows["LOSANT_MCP_ACCESS"] == ["full", "default"]


def test_an_expired_token_is_not_usable(
    run: Run, on_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The expiry is read from the token, Losant's refusal is told, and the exit code is 1."""
    monkeypatch.setenv("LOSANT_API_TOKEN", on_sandbox.tokens["expired"])
    told = run("check")
    assert told.exit_code == 1
    assert "HAS EXPIRED" in told.stdout
    assert "Not usable." in told.stdout
    assert "401" in told.stdout


def test_an_application_token_binds_by_itself(
    run: Run, on_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without LOSANT_APPLICATION_ID the token's own application is told."""
    monkeypatch.delenv("LOSANT_APPLICATION_ID")
    monkeypatch.setenv("LOSANT_API_TOKEN", on_sandbox.tokens["read"])
    told = run("check")
    assert told.exit_code == 0, told.stdout
    assert f"{on_sandbox.application_id}, to which the token is confined" in told.stdout
    assert "beyond the token's scopes" in told.stdout


def test_a_narrow_token_is_usable_for_what_it_reaches(
    run: Run, on_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device token answers, and the tools beyond its scopes are named."""
    monkeypatch.setenv("LOSANT_API_TOKEN", on_sandbox.tokens["device"])
    told = run("check")
    assert told.exit_code == 0, told.stdout
    assert "no scope for it" in told.stdout


def test_a_token_of_another_kind_is_no_obstacle_to_reading_on(
    run: Run, on_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no JSON Web Token is said to be none, and Losant decides."""
    monkeypatch.setenv("LOSANT_API_TOKEN", "opaque-token")
    told = run("check")
    assert told.exit_code == 1
    assert "no JSON Web Token" in told.stdout


def test_what_is_not_listed_is_told_with_the_way_to_list_it(run: Run) -> None:
    """Each reason names the setting that a person changes."""
    told = run(
        "check", "--sandbox", "--access", "read", "--toolsets", "events,tables", "--deny", "get_row"
    )
    assert told.exit_code == 0, told.stdout
    assert "set LOSANT_MCP_ACCESS=write" in told.stdout
    assert "set LOSANT_MCP_ACCESS=full" in told.stdout
    assert "add it to LOSANT_MCP_TOOLSETS" in told.stdout
    assert "remove it from LOSANT_MCP_DENY" in told.stdout


def test_a_setup_without_tools_is_not_usable(run: Run) -> None:
    """Where nothing is listed, the exit code is 1 and the advice says what to widen."""
    told = run("check", "--sandbox", "--toolsets", "guides", "--deny", "read_guide")
    assert told.exit_code == 1
    assert "No tool is left" in told.stdout
