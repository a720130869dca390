"""Logging to standard error, set up before anything else may do it.

The SDK calls ``logging.basicConfig`` when a server is made, which does nothing once the root
logger has a handler.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from pydantic import SecretStr

from losant_mcp.config import Settings
from losant_mcp.text import clean

FIELDS = ("request", "principal", "tool", "outcome", "ms", "status")
"""What a record may hold beside its message: who asked for what, and how it ended."""


def configure(settings: Settings, *, least: int = logging.DEBUG) -> None:
    """Send records of the settings' level, and of ``least``, to standard error, in their format.

    Of libraries only warnings: what they say besides are whole URLs, which hold queries, and every
    frame of the protocol, which holds whole answers.
    """
    handler = logging.StreamHandler(sys.stderr)
    values = (getattr(settings, name) for name in Settings.model_fields)
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    handler.setFormatter((_Json if settings.log_format == "json" else _Text)(secrets))
    level = max(least, logging.getLevelNamesMapping()[settings.log_level.upper()])
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("losant_mcp").setLevel(level)


class _Text(logging.Formatter):
    """``12:00:01 INFO losant_mcp.server: text``; secrets and terminal escapes never appear."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._secrets = secrets

    def masked(self, text: str) -> str:
        """The text with secrets and control characters taken out."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return clean(text)

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line; what has more of them, as a traceback has, is indented below."""
        # A text with line breaks must not pass for records of ours.
        return self.masked(super().format(record)).replace("\n", "\n  ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, and whose request it is about."""
        whose = {name: getattr(record, name, "") for name in ("request", "principal")}
        told = "".join(f" {name}={value}" for name, value in whose.items() if value)
        return super().formatMessage(record) + told


class _Json(_Text):
    """One JSON object a line: time, level, logger, message, and a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.masked(record.getMessage()),
            **{
                name: self.masked(value) if isinstance(value, str) else value
                for name in FIELDS
                if (value := getattr(record, name, "")) != ""
            },
        }
        if record.exc_info:
            line["exception"] = self.masked(self.formatException(record.exc_info))
        return json.dumps(line)
