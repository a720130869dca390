"""The settings: one frozen object, which ``loading`` makes of environment, flags and a file.

What decides who is asked, what may be reached and where state lies (marked ``protected``) comes
from the environment or a flag, never from a file.
"""

from __future__ import annotations

import difflib
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from losant_mcp.api.endpoint import BASE_URL
from losant_mcp.api.types import ObjectId

Access = Literal["read", "write", "full"]
Toolset = Literal["events", "tables", "data", "lookup", "analysis", "safety", "guides"]
TOOLSETS: tuple[Toolset, ...] = get_args(Toolset)


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _toolsets(value: Any) -> Any:
    parts = _split(value)
    return TOOLSETS if "all" in parts else tuple(dict.fromkeys(parts))


def _time_zone(value: str) -> str:
    if value != "system":
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            near = difflib.get_close_matches(value, zoneinfo.available_timezones(), n=1)
            raise ValueError(
                f"unknown time zone{f'; did you mean {near[0]}?' if near else ''}"
            ) from None
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]


def _setting(variable: str, meaning: str, *, protected: bool = False, **field: Any) -> Any:
    return Field(
        description=meaning,
        json_schema_extra={"variable": variable, "protected": protected},
        **field,
    )


class Settings(BaseModel):
    """Every setting, with its default. Build it with ``load_settings``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_token: SecretStr | None = _setting(
        "LOSANT_API_TOKEN", "A Losant API token: user, application or device.", default=None
    )
    api_url: str = _setting(
        "LOSANT_API_URL",
        "Where the API is; https, or http on loopback.",
        protected=True,
        default=BASE_URL,
        pattern=r"^https?://[^\s/?#@]+/?$",
    )
    application_id: ObjectId | None = _setting(
        "LOSANT_APPLICATION_ID", "Binds the server to one application.", default=None
    )
    access: Access = _setting(
        "LOSANT_MCP_ACCESS",
        "read: look only. write: also create, change and export. full: also delete.",
        protected=True,
        default="full",
    )
    toolsets: Annotated[tuple[Toolset, ...], BeforeValidator(_toolsets)] = _setting(
        "LOSANT_MCP_TOOLSETS", "Which groups of tools are listed.", default=TOOLSETS, min_length=1
    )
    confirm: Literal["human", "preview", "block"] = _setting(
        "LOSANT_MCP_CONFIRM",
        "Who says yes to destruction: a person, a second call (headless), or nobody.",
        protected=True,
        default="human",
    )
    ask: Literal["auto", "page", "form"] = _setting(
        "LOSANT_MCP_ASK",
        "How a person is asked: the client's form where there is one, or always the page.",
        protected=True,
        default="auto",
    )
    approve: Literal["session", "pin"] = _setting(
        "LOSANT_MCP_APPROVE",
        "What an approval on the page needs: the browser session opened here, or the PIN.",
        protected=True,
        default="session",
    )
    confirm_above: int = _setting(
        "LOSANT_MCP_CONFIRM_ABOVE",
        "update_events asks when it reaches more events than this.",
        default=25,
        ge=0,
    )
    max_delete: int = _setting(
        "LOSANT_MCP_MAX_DELETE",
        "Most objects that one call may delete.",
        default=10_000,
        ge=1,
        le=1_000_000,
    )
    max_create_rows: int = _setting(
        "LOSANT_MCP_MAX_CREATE_ROWS",
        "Most rows that may be created in an hour.",
        default=100_000,
        ge=0,
    )
    max_create_events: int = _setting(
        "LOSANT_MCP_MAX_CREATE_EVENTS",
        "Most events that may be raised in an hour: a flood starves real alarms.",
        default=300,
        ge=0,
    )
    preview_allow: Names = _setting(
        "LOSANT_MCP_PREVIEW_ALLOW",
        "With LOSANT_MCP_CONFIRM=preview: the tools, and the tables (names or ids), it is for.",
        protected=True,
        default=(),
    )
    preview_max: int = _setting(
        "LOSANT_MCP_PREVIEW_MAX",
        "With LOSANT_MCP_CONFIRM=preview: most objects of one call.",
        protected=True,
        default=100,
        ge=1,
    )
    deny: Names = _setting(
        "LOSANT_MCP_DENY",
        "Tools and data tables (names or ids) that are never touched.",
        default=(),
    )
    callback_prefixes: Names = _setting(
        "LOSANT_MCP_CALLBACK_PREFIXES", "URL prefixes that callbacks may go to.", default=()
    )
    email_domains: Names = _setting(
        "LOSANT_MCP_EMAIL_DOMAINS", "Domains that notifications may be mailed to.", default=()
    )
    result_tokens: int = _setting(
        "LOSANT_MCP_RESULT_TOKENS",
        "The most tokens of one result (estimated).",
        default=8000,
        ge=500,
        le=100_000,
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = _setting(
        "LOSANT_MCP_TIME_ZONE", "The zone of times without one, and of 'today'.", default="system"
    )
    max_rows: int = _setting(
        "LOSANT_MCP_MAX_ROWS", "Most rows that one SQL load may fetch.", default=1_000_000, ge=1
    )
    poll_seconds: float = _setting(
        "LOSANT_MCP_POLL_SECONDS",
        "How often a resource that is subscribed to is looked at.",
        default=15,
        ge=1,
        le=3600,
    )
    state_dir: Path | None = _setting(
        "LOSANT_MCP_STATE_DIR",
        "Where plans, backups and the audit lie; the platform's data folder if left out.",
        protected=True,
        default=None,
    )
    state_key: SecretStr | None = _setting(
        "LOSANT_MCP_STATE_KEY",
        "Seals what replicas share: at least 32 random characters, the same on each of them.",
        protected=True,
        default=None,
        min_length=32,
    )
    state_url: SecretStr | None = _setting(
        "LOSANT_MCP_STATE_URL",
        "Shared state of several replicas: redis://… or rediss://…; takes LOSANT_MCP_STATE_KEY.",
        protected=True,
        default=None,
    )
    backup_dir: Path | None = _setting(
        "LOSANT_MCP_BACKUP_DIR",
        "Where backups lie, if not in the state folder: for replicas, one volume for all of them.",
        protected=True,
        default=None,
    )
    backup_key: SecretStr | None = _setting(
        "LOSANT_MCP_BACKUP_KEY",
        "Encrypts backups: at least 32 characters, kept apart from them. Lost, they are lost.",
        protected=True,
        default=None,
        min_length=32,
    )
    backup_days: int = _setting(
        "LOSANT_MCP_BACKUP_DAYS", "How long backups are kept.", default=90, ge=1
    )
    backup_megabytes: int = _setting(
        "LOSANT_MCP_BACKUP_MEGABYTES",
        "How much room backups may take; the oldest go first.",
        default=5000,
        ge=1,
    )
    http: str | None = _setting(
        "LOSANT_MCP_HTTP",
        "Serve over HTTP at this host:port, instead of standard input and output.",
        protected=True,
        default=None,
        pattern=r"^(\[[0-9A-Fa-f:]+\]|[^\s:/@\[\]]+):\d{1,5}$",
    )
    auth: Literal["none", "keys", "losant"] = _setting(
        "LOSANT_MCP_AUTH",
        "Who may call over HTTP: anybody on this machine, client keys, or Losant API tokens.",
        protected=True,
        default="none",
    )
    keys_file: Path | None = _setting(
        "LOSANT_MCP_KEYS_FILE",
        "With LOSANT_MCP_AUTH=keys: the file that `losant-mcp keys add` writes.",
        protected=True,
        default=None,
    )
    public_url: str | None = _setting(
        "LOSANT_MCP_PUBLIC_URL",
        "The address by which people reach the HTTP server, such as https://mcp.example.com.",
        protected=True,
        default=None,
        pattern=r"^https?://[^\s/?#@]+/?$",
    )
    approvers_file: Path | None = _setting(
        "LOSANT_MCP_APPROVERS_FILE",
        "Over HTTP: the file that `losant-mcp approvers add` writes; who says yes, and to what.",
        protected=True,
        default=None,
    )
    approver_header: str | None = _setting(
        "LOSANT_MCP_APPROVER_HEADER",
        "The header in which a proxy on this machine names the approver, who then needs no login.",
        protected=True,
        default=None,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    four_eyes: bool = _setting(
        "LOSANT_MCP_FOUR_EYES",
        "Nobody approves what they asked for themselves, as far as the approvers' file tells.",
        protected=True,
        default=False,
    )
    allowed_hosts: Names = _setting(
        "LOSANT_MCP_ALLOWED_HOSTS",
        "Names by which the HTTP server is reached; loopback's are always allowed.",
        protected=True,
        default=(),
    )
    allowed_origins: Names = _setting(
        "LOSANT_MCP_ALLOWED_ORIGINS",
        "Origins such as https://app.example.com whose web pages may call, by CORS.",
        protected=True,
        default=(),
    )
    max_requests: int = _setting(
        "LOSANT_MCP_MAX_REQUESTS", "Most HTTP requests at a time.", default=64, ge=1, le=10_000
    )
    max_callers: int = _setting(
        "LOSANT_MCP_MAX_CALLERS", "Most callers that are kept in memory.", default=1000, ge=1
    )
    max_sessions: int = _setting(
        "LOSANT_MCP_MAX_SESSIONS", "Most open sessions of one caller.", default=200, ge=1
    )
    session_minutes: int = _setting(
        "LOSANT_MCP_SESSION_MINUTES", "How long an idle session is kept.", default=30, ge=1
    )
    request_seconds: int = _setting(
        "LOSANT_MCP_REQUEST_SECONDS",
        "The longest that an HTTP request may take; it has to outlast a person's answer.",
        default=900,
        ge=1,
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "LOSANT_MCP_LOG_LEVEL", "How much is logged to standard error.", default="info"
    )
    log_format: Literal["text", "json"] = _setting(
        "LOSANT_MCP_LOG_FORMAT", "The form of log lines.", default="text"
    )

    @field_validator("api_token")
    @classmethod
    def _token_is_one_word(cls, token: SecretStr | None) -> SecretStr | None:
        value = token.get_secret_value() if token else ""
        if token is not None and (not value or not value.isascii() or len(value.split()) != 1):
            raise ValueError("must be one word of ASCII characters")
        return token

    @field_validator("state_url")
    @classmethod
    def _state_is_sealed(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        given = url.get_secret_value().split("://")[0] if url else "redis"
        if given not in ("redis", "rediss", "unix"):
            raise ValueError("must be an address such as redis://name:password@host:6379/0")
        # A key that does not fit is told of by itself, and is not in the data.
        if url is not None and info.data.get("state_key", url) is None:
            raise ValueError("takes LOSANT_MCP_STATE_KEY, the same on every replica")
        return url


def variable(name: str) -> str:
    """The environment variable of a setting, by its attribute's name."""
    extra = Settings.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    return str(extra["variable"])


def is_protected(name: str) -> bool:
    """Whether a setting may not come from a file."""
    extra = Settings.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    return bool(extra["protected"])


VARIABLES: Mapping[str, str] = {variable(name): name for name in Settings.model_fields}
"""Every environment variable, and the attribute that it sets."""
