"""May this request go? One pure check that every request to Losant passes, whoever makes it.

Pure, so that it can be tested to the last case and asked before every request at no cost: it
knows the settings that the operator chose and the request at hand, and nothing else. What a
person agrees to is the guard's business; the policy only sees its token, the `Permit`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from losant_mcp.api.endpoint import Effect, Endpoint
from losant_mcp.errors import ConfigurationError

Access = Literal["read", "write", "full"]

ALLOWED_EFFECTS: Mapping[Access, frozenset[Effect]] = {
    "read": frozenset({Effect.READ}),
    "write": frozenset({Effect.READ, Effect.WRITE, Effect.OVERWRITE, Effect.EXPORT}),
    "full": frozenset(Effect),
}
_DOES = {
    Effect.READ: "reads",
    Effect.WRITE: "creates something",
    Effect.OVERWRITE: "changes what is there",
    Effect.EXPORT: "sends data out of Losant",
    Effect.DESTROY: "destroys something",
}
_MAY = {"read": "only read", "write": "read and write, but not destroy"}


@dataclass(frozen=True, slots=True)
class Allowed:
    """The request may go."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request may not go; ``how_to_allow`` tells a person what to change, if they want to."""

    reason: str
    how_to_allow: str


@dataclass(frozen=True, slots=True)
class Permit:
    """The guard's word that one destructive request was agreed to.

    It is for one endpoint, one path and one set of query parameters (which column to remove is a
    query parameter). Only the guard makes permits.
    """

    endpoint_id: str
    path_params: Mapping[str, str] = field(repr=False)
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)  # values are JSON scalars

    def fits(
        self, endpoint: Endpoint, path_params: Mapping[str, str], params: Mapping[str, Any]
    ) -> bool:
        """Whether this permit is for that very request."""
        return (
            self.endpoint_id == endpoint.id
            and _folded(self.path_params) == _folded(path_params)
            and _given(self.params) == _given(params)
        )


ALLOWED = Allowed()
DENIED = Refusal(
    "this data table is on the list of tables that are never touched",
    "A person can take it out of LOSANT_MCP_DENY and restart.",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows.

    ``application_id`` binds to one application, ``applications`` to several; ``denied_tables`` are
    ids of tables that are never touched, not even read; ``callback_prefixes`` and
    ``email_domains`` are where exports and notices may go. ``destroy`` is "open"
    in tests and on the command line only.

    Raises ConfigurationError where a prefix or a domain could never match safely.
    """

    access: Access = "full"
    application_id: str | None = None
    applications: frozenset[str] = frozenset()
    denied_tables: frozenset[str] = frozenset()
    callback_prefixes: tuple[str, ...] = ()
    email_domains: frozenset[str] = frozenset()
    destroy: Literal["guarded", "open"] = "guarded"

    def __post_init__(self) -> None:
        for prefix in self.callback_prefixes:
            parts = _safe_url(prefix)
            if parts is None or parts.query or prefix.endswith("?"):
                raise ConfigurationError(
                    f"The callback prefix {prefix[:100]!r} is not a plain https address.",
                    hint="Write it like https://hooks.example.com/losant/: https, no user, no "
                    "port, no query, no fragment.",
                )
        for domain in self.email_domains:
            if not _domain.fullmatch(domain):
                raise ConfigurationError(
                    f"The e-mail domain {domain[:100]!r} is not a domain name.",
                    hint="Write it like example.com, without @.",
                )

    def check(
        self,
        endpoint: Endpoint,
        path_params: Mapping[str, str],
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        permit: Permit | None = None,
    ) -> Allowed | Refusal:
        """Whether this request may go; ``params`` and ``body`` are JSON data as it will be sent."""
        params = params or {}
        if endpoint.effect not in ALLOWED_EFFECTS[self.access]:
            return _refuse_effect(endpoint, self.access)
        if refusal := self._check_target(path_params):
            return refusal
        if self.applications and "applicationId" not in path_params:
            return Refusal(
                "this caller may reach some applications only, and the request is about all",
                "Name one of them.",
            )
        if endpoint.effect is Effect.READ:
            return ALLOWED
        if refusal := self._check_egress(endpoint, params, body):
            return refusal
        if endpoint.effect is Effect.DESTROY and self.destroy != "open":
            return _check_permit(endpoint, path_params, params, permit)
        return ALLOWED

    def _check_target(self, path_params: Mapping[str, str]) -> Refusal | None:
        application = path_params.get("applicationId")
        # Ids are hexadecimal, and Losant reads both cases of a letter as the same id.
        if (
            application is not None
            and self.application_id is not None
            and application.lower() != self.application_id.lower()
        ):
            return Refusal(
                "this server is bound to one application, and the request is about another",
                "A person can change LOSANT_APPLICATION_ID, or leave it out, and restart.",
            )
        if (
            application is not None
            and self.applications
            and application.lower() not in {known.lower() for known in self.applications}
        ):
            return Refusal(
                "this caller may not reach this application",
                "A person can add it to the caller's key.",
            )
        table = path_params.get("dataTableId")
        return DENIED if table is not None and self.denies(table) else None

    def denies(self, table_id: str) -> bool:
        """Whether this data table is never touched."""
        return table_id.lower() in {denied.lower() for denied in self.denied_tables}

    def _check_egress(
        self, endpoint: Endpoint, params: Mapping[str, Any], body: Any
    ) -> Refusal | None:
        given: list[Mapping[str, Any]] = [params]
        # A row may have a column called "email": only a body that declares the field means it.
        if isinstance(body, Mapping) and endpoint.body is not None:
            given.append({k: v for k, v in body.items() if k in endpoint.body.model_fields})
        for fields in given:
            email, callback = fields.get("email"), fields.get("callbackUrl")
            if email is not None and not self.allows_email(email):
                return Refusal(
                    "this e-mail address is not in an allowed domain, or not one bare address",
                    "A person can add its domain to LOSANT_MCP_EMAIL_DOMAINS and restart. Without "
                    "email, Losant writes to the owner of the token, which is always allowed.",
                )
            if callback is not None and not self.allows_callback(callback):
                return Refusal(
                    "this callbackUrl is not below an allowed address",
                    "A person can add it to LOSANT_MCP_CALLBACK_PREFIXES (https) and restart.",
                )
        return None

    def allows_email(self, address: object) -> bool:
        """Whether mail may go to this address: one bare address in an allowed domain."""
        match = _address.fullmatch(address) if isinstance(address, str) else None
        domains = {domain.lower() for domain in self.email_domains}
        return match is not None and match["domain"].lower() in domains

    def allows_callback(self, url: object) -> bool:
        """Whether Losant may call this URL: https, and below an allowed prefix."""
        if not isinstance(url, str) or (target := _safe_url(url)) is None:
            return False
        return any(_is_below(target, urlsplit(prefix)) for prefix in self.callback_prefixes)


def _refuse_effect(endpoint: Endpoint, access: Access) -> Refusal:
    needed = "full" if endpoint.effect is Effect.DESTROY else "write"
    return Refusal(
        f"this server may {_MAY[access]} (LOSANT_MCP_ACCESS={access}), and {endpoint.id} "
        f"{_DOES[endpoint.effect]}",
        f"A person can set LOSANT_MCP_ACCESS={needed} and restart.",
    )


def _check_permit(
    endpoint: Endpoint,
    path_params: Mapping[str, str],
    params: Mapping[str, Any],
    permit: Permit | None,
) -> Allowed | Refusal:
    if permit is None:
        return Refusal(
            f"{endpoint.id} destroys something, and no person has agreed to it",
            "Use the tool for it: it asks a person first.",
        )
    if not permit.fits(endpoint, path_params, params):
        return Refusal(
            f"what a person agreed to is not this {endpoint.id}",
            "Ask again for exactly this.",
        )
    return ALLOWED


def _folded(path_params: Mapping[str, str]) -> dict[str, str]:
    return {name: value.lower() for name, value in path_params.items()}


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


# ---- addresses -----------------------------------------------------------------------------

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_domain = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
# The plain form of an address. Quoted local parts, "%" and "!" can route mail elsewhere.
_address = re.compile(rf"[A-Za-z0-9._+'-]{{1,64}}@(?P<domain>{_domain.pattern})")
# What RFC 3986 allows in a URL; above all no backslash, no space and no control character,
# about which URL parsers disagree.
_url_text = re.compile(r"https://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.IGNORECASE)
_host = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")


def _safe_url(url: str) -> SplitResult | None:
    """The parts of an https URL that every parser reads alike, or None."""
    if not _url_text.fullmatch(url) or "#" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if "@" in parts.netloc or port not in (None, 443) or parts.netloc.endswith(":"):
        return None
    if not _host.fullmatch(parts.hostname or "") or not _is_plain_path(parts.path):
        return None
    return parts


def _is_plain_path(path: str) -> bool:
    """Whether a path has no dot segment and no hidden separator, however it is decoded."""
    while (decoded := unquote(path)) != path:
        if decoded.count("/") != path.count("/"):
            return False
        path = decoded
    # Some servers drop what follows ";" in a segment, so that "..;" climbs as ".." does.
    climbs = any(part.partition(";")[0] in (".", "..") for part in path.split("/"))
    return not climbs and "\\" not in path and path.isprintable()


def _is_below(url: SplitResult, prefix: SplitResult) -> bool:
    if url.hostname != prefix.hostname:
        return False
    base = prefix.path.rstrip("/")
    return url.path == prefix.path or url.path.startswith(f"{base}/") or not base
