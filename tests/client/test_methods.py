"""One method per operation: named, typed and sent as the catalogue says."""

from __future__ import annotations

import inspect
import re
import typing

import pytest

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.api.events import Event, EventPatch, EventPost
from losant_mcp.api.lookup import Devices
from losant_mcp.api.types import DeviceTag, JobEnqueued, Success
from losant_mcp.client import LosantClient
from losant_mcp.client.data import DataMethods
from losant_mcp.client.events import EventMethods
from losant_mcp.client.lookup import LookupMethods
from losant_mcp.client.tables import TableMethods
from tests.client.calls import CALLS, ids_in
from tests.served import Sandbox

MIXINS = (EventMethods, TableMethods, DataMethods, LookupMethods)


def method_name(endpoint_id: str) -> str:
    """The method of an endpoint: ``events.mostRecentBySeverity`` in snake case."""
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", endpoint_id).replace(".", "_").lower()


ALL = pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda e: e.id)


def test_every_operation_has_a_method_and_every_method_an_operation() -> None:
    """The catalogue and the client's methods are the same set, and each one is called below."""
    methods = {name for mixin in MIXINS for name in vars(mixin) if not name.startswith("_")}
    assert methods == {method_name(endpoint_id) for endpoint_id in ENDPOINTS}
    assert set(CALLS) == set(ENDPOINTS)


@ALL
def test_a_method_takes_and_returns_what_the_catalogue_says(endpoint: Endpoint) -> None:
    """Arguments are the API's own names, by keyword; the result is the union of the answers."""
    method = getattr(LosantClient, method_name(endpoint.id))
    arguments = dict(inspect.signature(method).parameters)
    del arguments["self"]
    expected = {*endpoint.path_params, *(param.name for param in endpoint.params)}
    if endpoint.body is not None:
        expected.add("body")
    if endpoint.effect is Effect.DESTROY:
        expected.add("permit")
    assert set(arguments) == expected
    assert all(argument.kind is argument.KEYWORD_ONLY for argument in arguments.values())
    required = {name for name, argument in arguments.items() if argument.default is argument.empty}
    must = {*endpoint.path_params, *(param.name for param in endpoint.params if param.required)}
    assert required == must | ({"body"} if endpoint.body_required else set())
    returned = typing.get_type_hints(method)["return"]
    assert set(typing.get_args(returned) or (returned,)) == set(endpoint.responses.values())


@ALL
async def test_a_method_sends_its_operation_and_reads_its_answer(
    losant: LosantClient, sandbox: Sandbox, endpoint: Endpoint
) -> None:
    """The request that arrives is this operation, and its answer becomes the model promised."""
    answer = await CALLS[endpoint.id](losant, ids_in(sandbox))
    sent = sandbox.requests[-1]
    assert sent.endpoint_id == endpoint.id
    assert sent.status is not None
    assert type(answer) is endpoint.responses[sent.status]
    assert sent.query.endswith("_actions=false&_links=false&_embedded=false")


async def test_arrays_are_written_with_brackets(losant: LosantClient, sandbox: Sandbox) -> None:
    """Device classes and tags reach the server as it reads them, and narrow the answer."""
    everything = await losant.devices_get(applicationId=sandbox.application_id)
    narrowed = await losant.devices_get(
        applicationId=sandbox.application_id,
        deviceClass=["gateway", "edgeCompute"],
        tagFilter=[DeviceTag(key="site")],
    )
    query = sandbox.requests[-1].query
    assert "deviceClass%5B0%5D=gateway&deviceClass%5B1%5D=edgeCompute" in query
    assert "tagFilter%5B0%5D%5Bkey%5D=site" in query
    assert isinstance(narrowed, Devices)
    assert narrowed.totalCount < everything.totalCount
    assert {device.deviceClass for device in narrowed.items} <= {"gateway", "edgeCompute"}


async def test_a_query_survives_the_address(losant: LosantClient, sandbox: Sandbox) -> None:
    """A query with every awkward character finds exactly the event it names."""
    subject = 'Überdruck & 50 % + "Ventil" #7 / 水?'
    created = await losant.events_post(
        applicationId=sandbox.application_id, body=EventPost(level="error", subject=subject)
    )
    found = await losant.events_get(
        applicationId=sandbox.application_id, query={"subject": {"$eq": subject}}
    )
    assert [event.id for event in found.items] == [created.id]


async def test_bulk_work_answers_in_both_ways(losant: LosantClient, sandbox: Sandbox) -> None:
    """A small bulk update is done at once, and a large one becomes a job."""
    one = await losant.events_get(applicationId=sandbox.application_id, perPage=1)
    done = await losant.events_patch(
        applicationId=sandbox.application_id,
        query={"id": one.items[0].id},
        body=EventPatch(state="resolved"),
    )
    assert isinstance(done, Success)
    queued = await losant.events_patch(
        applicationId=sandbox.application_id, body=EventPatch(state="resolved")
    )
    assert isinstance(queued, JobEnqueued)


async def test_null_is_sent_and_absent_is_not(losant: LosantClient, sandbox: Sandbox) -> None:
    """``deviceId: null`` detaches the device, while a field that is left out stays."""
    [row] = sandbox.store.rows("SELECT id, deviceId FROM events WHERE deviceId IS NOT NULL LIMIT 1")
    path = {"applicationId": sandbox.application_id, "eventId": row["id"]}
    kept = await losant.event_patch(**path, body=EventPatch(comment="Looking at it"))
    assert kept.deviceId == row["deviceId"]
    detached = await losant.event_patch(**path, body=EventPatch(deviceId=None))
    assert isinstance(detached, Event)
    assert detached.deviceId is None
