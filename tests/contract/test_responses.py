"""Every answer that the published contract allows can be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from losant_mcp.api import data, events, tables, types
from losant_mcp.api.endpoints import ENDPOINTS
from tests.contract.instances import BRISK, IDS, instances
from tests.contract.published import RESPONSES, Published

HOUSEKEEPING = {"_type": "x", "_etag": '"1-a"', "_links": {"self": {"href": "/x"}}, "_embedded": {}}
"""Fields that no schema declares and that answers have carried."""


@pytest.mark.parametrize("name", RESPONSES)
def test_every_valid_answer_is_read(name: str, contract: Published) -> None:
    """What the schema accepts is accepted, and nothing in it is lost or changed."""

    @BRISK
    @given(instances(contract.schema(name)).filter(contract.validator(name).is_valid))
    def check(answer: Any) -> None:
        assert RESPONSES[name].model_validate(answer).to_json() == _with_whole_count(answer)

    check()


@pytest.mark.parametrize("name", RESPONSES)
def test_fields_of_tomorrow_are_kept(name: str, contract: Published) -> None:
    """An unknown field, at any depth and with any value, is never an error and is not lost."""

    @BRISK
    @given(instances(contract.schema(name), extra=True))
    def check(answer: Any) -> None:
        assert RESPONSES[name].model_validate(answer).to_json() == _with_whole_count(answer)

    check()


@pytest.mark.parametrize("name", RESPONSES)
def test_the_published_example_is_read(name: str, contract: Published) -> None:
    """Losant's own example of each answer is read and kept, housekeeping fields included."""
    example = {**contract.examples[name], **HOUSEKEEPING}
    assert RESPONSES[name].model_validate(example).to_json() == example


def test_every_answer_of_the_catalogue_is_compared() -> None:
    """No endpoint gives an answer that the comparison leaves out."""
    models = {model for endpoint in ENDPOINTS.values() for model in endpoint.responses.values()}
    assert models | {types.ErrorBody} == set(RESPONSES.values())


def test_a_table_with_a_summary_is_read() -> None:
    """The next version tells how many rows a table has and how large they are."""
    table = tables.DataTable.model_validate({"id": IDS[0], "summary": {"count": 5, "size": 1024}})
    assert table.summary == {"count": 5, "size": 1024}


def test_a_job_id_of_either_form_is_read() -> None:
    """A job id has up to 21 characters in API 1.30.0 and 24 later."""
    ids = [
        types.JobEnqueued.model_validate({"jobId": id}).jobId
        for id in ("clnHvJbyVkOWAZwYAwLP4", IDS[0])
    ]
    assert ids == ["clnHvJbyVkOWAZwYAwLP4", IDS[0]]


def test_a_bulk_insert_may_tell_more_than_a_thousand_ids() -> None:
    """Later versions lift the limit on rowIds."""
    answer = {"createdAt": "2016-06-13T04:00:00.000Z", "count": 1500, "rowIds": [IDS[0]] * 1500}
    made = tables.RowsInserted.model_validate(answer)
    assert (len(made.ids), made.inserted) == (1500, 1500)


def test_a_bulk_insert_may_tell_fewer_ids_than_rows() -> None:
    """In API 1.30.0 at most 1,000 ids come back, so the count is what counts."""
    made = tables.RowsInserted.model_validate({"count": 1500, "rowIds": [IDS[0]] * 1000})
    assert (len(made.ids), made.inserted) == (1000, 1500)


@pytest.mark.parametrize("value", ["five", 2.5, 7, True, None])
def test_a_row_may_have_columns_called_as_the_bulk_answer_s_fields(value: object) -> None:
    """One inserted row is told from many by its id, whatever its columns are called."""
    answer = {"id": IDS[0], "count": value, "rowIds": value}
    made = tables.RowsInserted.model_validate(answer)
    assert (made.ids, made.inserted, made.to_json()) == ([IDS[0]], 1, answer)


@pytest.mark.parametrize(
    "column", ["to_json", "model_dump", "model_config", "__dict__", "__class__", "copy", "_x"]
)
def test_a_column_may_be_called_as_python_calls_something(column: str) -> None:
    """A row keeps a column whose name means something to Python."""
    answer = {"id": IDS[0], column: 5}
    assert tables.DataTableRow.model_validate(answer).to_json() == answer


def test_an_unknown_field_is_no_device() -> None:
    """Beside last values by device id, housekeeping fields are kept apart."""
    value = {"time": "2016-06-13T04:00:00.000Z", "data": {"voltage": 12}}
    answer: dict[str, object] = {IDS[0]: value, **HOUSEKEEPING}
    last = data.LastValueData.model_validate(answer)
    assert last.devices == {IDS[0]: data.LastValue.model_validate(value)}
    assert last.to_json() == answer


def test_text_that_utf_8_cannot_carry_is_read() -> None:
    """A lone surrogate, which JavaScript's strings can hold, breaks no answer."""
    answer = {"subject": "\ud800", "data": {"\ud800": "\udfff"}}
    assert events.Event.model_validate(answer).to_json() == answer


def _with_whole_count(answer: Any) -> Any:
    """The answer as we read it: the schema calls what was removed a number, we count it."""
    removed = answer.get("removed")
    return {**answer, "removed": int(removed)} if isinstance(removed, float) else answer
