"""The policy, to the last case: effects, binding, denied tables, egress, permits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from losant_mcp.api import endpoints
from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.api.endpoints import ENDPOINTS
from losant_mcp.errors import ConfigurationError
from losant_mcp.policy import Access, Allowed, Permit, Policy, Refusal

APPLICATION = "5f1a2b3c4d5e6f7a8b9c0d1e"
OTHER = "6f1a2b3c4d5e6f7a8b9c0d1e"
TABLE = "7f1a2b3c4d5e6f7a8b9c0d1e"
PATH = {"applicationId": APPLICATION, "dataTableId": TABLE}

EGRESS = Policy(
    callback_prefixes=("https://good.example", "https://hooks.example/losant/"),
    email_domains=frozenset({"good.example"}),
)


def allowed(
    policy: Policy,
    endpoint: Endpoint,
    path: Mapping[str, str] = PATH,
    *,
    params: Mapping[str, Any] | None = None,
    body: Any = None,
    permit: Permit | None = None,
) -> bool:
    """Whether the policy lets it go; a refusal must say why, and what a person can do."""
    verdict = policy.check(endpoint, path, params=params, body=body, permit=permit)
    if isinstance(verdict, Refusal):
        assert verdict.reason
        assert verdict.how_to_allow
    return isinstance(verdict, Allowed)


# ---- effects -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "effects"),
    [
        ("read", {Effect.READ}),
        ("write", {Effect.READ, Effect.WRITE, Effect.OVERWRITE, Effect.EXPORT}),
        ("full", set(Effect)),
    ],
)
def test_each_access_allows_its_effects_and_no_others(access: Access, effects: set[Effect]) -> None:
    """Of the whole catalogue, exactly the operations with an allowed effect may go."""
    policy = Policy(access, destroy="open")
    may = {endpoint.id for endpoint in ENDPOINTS.values() if allowed(policy, endpoint)}
    assert may == {endpoint.id for endpoint in ENDPOINTS.values() if endpoint.effect in effects}


def test_a_refusal_names_the_setting_that_would_allow_it() -> None:
    """The setting asked for is the smallest that suffices, and the sentence reads well."""
    writes = Policy("read").check(endpoints.EVENTS_POST, PATH)
    assert writes == Refusal(
        "this server may only read (LOSANT_MCP_ACCESS=read), and events.post creates something",
        "A person can set LOSANT_MCP_ACCESS=write and restart.",
    )
    destroys = Policy("write").check(endpoints.DATA_TABLE_DELETE, PATH)
    assert destroys == Refusal(
        "this server may read and write, but not destroy (LOSANT_MCP_ACCESS=write), and "
        "dataTable.delete destroys something",
        "A person can set LOSANT_MCP_ACCESS=full and restart.",
    )


# ---- permits -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint", [e for e in ENDPOINTS.values() if e.effect is Effect.DESTROY], ids=lambda e: e.id
)
def test_nothing_is_destroyed_without_a_permit(endpoint: Endpoint) -> None:
    """By default every destructive operation needs a permit that is for it."""
    assert not allowed(Policy(), endpoint)
    assert allowed(Policy(), endpoint, permit=Permit(endpoint.id, PATH))
    assert not allowed(Policy("write"), endpoint, permit=Permit(endpoint.id, PATH))


@pytest.mark.parametrize(
    "permit",
    [
        Permit("dataTableRows.truncate", PATH, {"columnName": "a"}),
        Permit("dataTable.removeColumn", {**PATH, "dataTableId": OTHER}, {"columnName": "a"}),
        Permit("dataTable.removeColumn", {**PATH, "applicationId": OTHER}, {"columnName": "a"}),
        Permit("dataTable.removeColumn", PATH, {"columnName": "b"}),
        Permit("dataTable.removeColumn", PATH),
        Permit("dataTable.removeColumn", {}, {"columnName": "a"}),
    ],
)
def test_a_permit_for_something_else_is_none(permit: Permit) -> None:
    """A permit counts for its own operation, path and parameters only."""
    endpoint, params = endpoints.DATA_TABLE_REMOVE_COLUMN, {"columnName": "a"}
    assert not allowed(Policy(), endpoint, params=params, permit=permit)
    fitting = Permit("dataTable.removeColumn", PATH, params)
    assert allowed(Policy(), endpoint, params=params, permit=fitting)


def test_a_permit_shows_no_ids() -> None:
    """A permit that lands in a log says what it is for, and not on what."""
    assert repr(Permit("event.delete", PATH)) == "Permit(endpoint_id='event.delete')"


# ---- targets -------------------------------------------------------------------------------


def test_a_bound_server_reaches_its_own_application_only() -> None:
    """Another application is refused even for reading, and the case of an id does not matter."""
    policy = Policy(application_id=APPLICATION)
    assert allowed(policy, endpoints.EVENTS_GET)
    assert allowed(policy, endpoints.EVENTS_GET, {"applicationId": APPLICATION.upper()})
    assert not allowed(policy, endpoints.EVENTS_GET, {"applicationId": OTHER})
    assert allowed(policy, endpoints.APPLICATIONS_GET, {})


def test_a_denied_table_is_never_touched() -> None:
    """No operation on a denied table may go, whichever way its id is written."""
    policy = Policy(denied_tables=frozenset({TABLE}), destroy="open")
    on_tables = [e for e in ENDPOINTS.values() if "dataTableId" in e.path_params]
    assert on_tables
    for endpoint in on_tables:
        assert not allowed(policy, endpoint)
        assert not allowed(policy, endpoint, {**PATH, "dataTableId": TABLE.upper()})
        assert allowed(policy, endpoint, {**PATH, "dataTableId": OTHER})


# ---- egress --------------------------------------------------------------------------------

SENDERS = [
    endpoint
    for endpoint in ENDPOINTS.values()
    if {"email", "callbackUrl"} & {param.name for param in endpoint.params}
    or (endpoint.body and {"email", "callbackUrl"} & set(endpoint.body.model_fields))
]


def test_no_read_sends_anything_out() -> None:
    """Reads are not checked for egress, since none of them can name a recipient."""
    assert {endpoint.id for endpoint in SENDERS} == {
        "events.patch",
        "events.delete",
        "events.export",
        "dataTableRows.export",
        "data.export",
    }
    assert all(endpoint.effect is not Effect.READ for endpoint in SENDERS)


@pytest.mark.parametrize("endpoint", SENDERS, ids=lambda e: e.id)
@pytest.mark.parametrize(
    ("field", "good"),
    [("email", "night.shift+1@good.example"), ("callbackUrl", "https://good.example/hook?a=1")],
)
def test_every_sender_is_checked(endpoint: Endpoint, field: str, good: str) -> None:
    """A recipient is refused in parameters and in bodies alike, unless it is allow-listed."""
    in_params = field in {param.name for param in endpoint.params}
    places = {"params": {field: good}} if in_params else {"body": {field: good}}
    none_allowed = Policy(destroy="open")
    listed = Policy(
        callback_prefixes=EGRESS.callback_prefixes,
        email_domains=EGRESS.email_domains,
        destroy="open",
    )
    assert not allowed(none_allowed, endpoint, **places)  # type: ignore[arg-type]  # one of two keywords
    assert allowed(listed, endpoint, **places)  # type: ignore[arg-type]  # one of two keywords
    assert allowed(none_allowed, endpoint)


def test_a_column_called_email_is_no_recipient() -> None:
    """Rows and queries may have any column; only a declared field names a recipient."""
    row = {"email": "someone@elsewhere.example", "callbackUrl": "http://elsewhere.example"}
    assert allowed(Policy(), endpoints.DATA_TABLE_ROWS_POST, body=row)
    assert allowed(Policy(), endpoints.DATA_TABLE_ROW_PATCH, body=row)
    assert allowed(Policy(destroy="open"), endpoints.DATA_TABLE_ROWS_DELETE, body=row)


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example",
        "https://good.example/",
        "https://GOOD.example/any/path?x=https://evil.example",
        "https://good.example:443/x",
        "https://hooks.example/losant/",
        "https://hooks.example/losant/job;v=1/a%20b",
    ],
)
def test_a_callback_below_a_prefix_is_allowed(url: str) -> None:
    """Host and path segments decide, not the spelling of the host."""
    assert EGRESS.allows_callback(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example.evil/",
        "https://good.example.",
        "https://good.exampleevil/",
        "https://good.example@evil.example/",
        "https://user@good.example/",
        "https://user:secret@good.example/",
        "https://good.example:8443/",
        "https://good.example:/",
        "https://good.example:x/",
        "http://good.example/",
        "HTTPS:good.example",
        "https:/good.example",
        "https:///good.example",
        "//good.example/",
        "https://evil.example\\@good.example/",
        "https://good.example\\.evil.example/",
        "https://evil.example#@good.example/",
        "https://good.example/#x",
        "https://good.example/\n",
        " https://good.example/",
        "https://good.example/\tx",
        "https://g\u043e\u043ed.example/",
        "https://good%2eexample/",
        "https://[::1]/",
        "https://sub.good.example/",
        "https://hooks.example/",
        "https://hooks.example/losant",
        "https://hooks.example/losantevil/",
        "https://hooks.example/losant/../other",
        "https://hooks.example/losant/..",
        "https://hooks.example/losant/./../other",
        "https://hooks.example/losant/%2e%2e/other",
        "https://hooks.example/losant/%252e%252e/other",
        "https://hooks.example/losant/..%2fother",
        "https://hooks.example/losant/..;/other",
        "https://hooks.example/losant/..%3b/other",
        "https://hooks.example/losant/%5c..%5cother",
        "https://hooks.example/losant/%00",
        "",
        None,
        5,
    ],
)
def test_a_callback_that_only_looks_right_is_refused(url: object) -> None:
    """Whatever two URL parsers could read differently goes nowhere."""
    assert not EGRESS.allows_callback(url)


@pytest.mark.parametrize(
    "prefix",
    [
        "http://good.example",
        "https://user@good.example",
        "https://good.example:8443",
        "https://good.example?x=1",
        "https://good.example/?",
        "https://good.example/#x",
        "https://*.example",
        "good.example",
        "https://",
        "",
    ],
)
def test_a_prefix_that_cannot_be_safe_stops_the_start(prefix: str) -> None:
    """A prefix is plain https, and so says its error."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(callback_prefixes=(prefix,))
    assert "https" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["ops@good.example", "night.shift+1@GOOD.example", "o'brien@good.example"]
)
def test_a_bare_address_in_an_allowed_domain_is_allowed(address: str) -> None:
    """The domain decides, in either case."""
    assert EGRESS.allows_email(address)


@pytest.mark.parametrize(
    "address",
    [
        "ops@evil.example",
        "ops@sub.good.example",
        "ops@good.example.evil",
        "ops@good.example.",
        "ops@evil.example,ops@good.example",
        "ops@evil.example;ops@good.example",
        "ops@evil.example ops@good.example",
        "ops%evil.example@good.example",
        "evil.example!ops@good.example",
        "ops@evil.example@good.example",
        '"ops@evil.example"@good.example',
        "Ops <ops@good.example>",
        "<ops@good.example>",
        "ops@good.example\n",
        "ops@good.example\nBcc: ops@evil.example",
        " ops@good.example",
        "@good.example",
        "good.example",
        "ops@g\u043e\u043ed.example",
        "",
        ["ops@good.example"],
    ],
)
def test_an_address_that_is_more_than_one_bare_address_is_refused(address: object) -> None:
    """Lists, names, routes and look-alikes are no bare address in an allowed domain."""
    assert not EGRESS.allows_email(address)


@pytest.mark.parametrize("domain", ["@good.example", "*.example", "example", "", "a b.example"])
def test_a_domain_that_is_none_stops_the_start(domain: str) -> None:
    """A domain that could never match is a mistake worth telling at once."""
    with pytest.raises(ConfigurationError):
        Policy(email_domains=frozenset({domain}))
