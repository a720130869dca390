"""``server.json``, by which the MCP registry lists the server: it agrees with the package."""

from __future__ import annotations

import json
from typing import get_args

import jsonschema
import pytest

from losant_mcp import __version__
from losant_mcp.cli.options import default_text, is_secret
from losant_mcp.config import VARIABLES, Settings
from tests.packaging.running import ROOT, RUNNERS

SERVER = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
[PACKAGE] = SERVER["packages"]
DATE = SERVER["$schema"].split("/")[-2].replace("-", "_")


def test_it_is_valid_by_the_registrys_schema() -> None:
    """The schema that it names, as the linter skillsaw carries it, finds no fault."""
    found = list(RUNNERS.rglob(f"mcp_registry/v{DATE}/server.schema.json"))
    if not found:
        pytest.skip("the registry's schema is not here; .ci/run installs it")
    schema = json.loads(found[0].read_text(encoding="utf-8"))
    jsonschema.validate(SERVER, schema, format_checker=jsonschema.FormatChecker())


def test_the_versions_are_the_packages() -> None:
    """A release changes all three."""
    assert SERVER["version"] == PACKAGE["version"] == __version__


def test_the_readme_proves_whose_package_it_is() -> None:
    """The registry looks for the server's name in the README that PyPI shows."""
    assert f"<!-- mcp-name: {SERVER['name']} -->" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    "told", PACKAGE["environmentVariables"], ids=lambda told: str(told["name"])
)
def test_a_variable_is_told_as_the_settings_have_it(told: dict[str, object]) -> None:
    """Meaning, default, choices and secrecy are the setting's own."""
    name = VARIABLES[str(told["name"])]
    field = Settings.model_fields[name]
    assert told["description"] == field.description
    assert told.get("default", "") == default_text(field)
    assert told.get("isSecret", False) == is_secret(name)
    choices = get_args(field.annotation) if name == "access" else ()
    assert tuple(told.get("choices", ())) == choices  # type: ignore[arg-type]
