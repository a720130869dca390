"""What an argument is about is told by its name, whoever declares it."""

from __future__ import annotations

import pytest

from losant_mcp.completions.kinds import kind_in, kind_of


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("application", "applicationId application application_id"),
        ("table", "dataTableId dataTable data_table table tableName tables dataTableIds"),
        ("column", "column columns columnName sortColumn key_column"),
        ("device", "deviceId device deviceIds device_name"),
        ("tag", "tag tagKey tags tag_key"),
        ("level", "level levels minLevel"),
        ("state", "state fromState"),
        ("time", "since start end until"),
        ("guide", "guide guideName"),
        (None, "id name key question concern goal rows tagValue eventId class 42 _ tablet"),
    ],
)
def test_the_last_word_of_a_name_counts(kind: str | None, arguments: str) -> None:
    """However it is written, and whether it says id, name or nothing."""
    assert {kind_of(argument) for argument in arguments.split()} == {kind}


@pytest.mark.parametrize(
    ("template", "variable", "kind"),
    [
        ("losant://guides/{name}", "name", "guide"),
        ("losant://data-tables/{id}", "id", "table"),
        ("losant://applications/{applicationId}/guides/{name}", "applicationId", "application"),
        ("losant://applications/{name}/data-tables/{dataTableId}", "name", None),
        ("losant://things/{name}", "name", None),
    ],
)
def test_a_plain_variable_is_of_what_stands_before_it(
    template: str, variable: str, kind: str | None
) -> None:
    """Where ``name`` says nothing, the path does."""
    assert kind_in(template, variable) == kind
