"""The backups that a command may see: those of its token, application and API URL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from losant_mcp.cli.options import Source
from losant_mcp.config import Settings
from losant_mcp.errors import ConfigurationError
from losant_mcp.guard.assembly import backups_of, principal_of
from losant_mcp.guard.backup_manifest import Manifest, UnknownBackup
from losant_mcp.guard.backups import Backups
from losant_mcp.guard.run_restore import NOUNS
from losant_mcp.guard.state_dir import open_state_dir
from losant_mcp.guard.wording import counted, shown_name
from losant_mcp.http.sheet import moment
from losant_mcp.server import bound_application


@dataclass(frozen=True, slots=True)
class Shelf:
    """The backups of a state folder, and who looks at them."""

    settings: Settings
    backups: Backups
    principal: str
    application: str | None
    """None where neither settings nor token name one: then those of every application."""

    def ours(self, manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
        """Those of them that this principal may see."""
        return tuple(manifest for manifest in manifests if self._is_ours(manifest))

    def find(self, backup_id: str) -> Manifest:
        """The backup of this id. Raises UnknownBackup, also where it is another principal's."""
        wanted = backup_id.strip().lower()
        found = next((m for m in self.ours(self.backups.read_all()) if m.id == wanted), None)
        if found is None:
            raise UnknownBackup(
                "This token has no such backup here.",
                hint="`losant-mcp backups list` names those that it has, and with --all also"
                " those of other tokens, which only these can restore.",
            )
        return found

    def _is_ours(self, manifest: Manifest) -> bool:
        application = self.application or manifest.application_id
        return manifest.visible_to(self.principal, self.settings.api_url, application)


def shelf_of(settings: Settings) -> Shelf:
    """The backups of these settings' token, which must be there."""
    token = settings.api_token
    if token is None:
        raise ConfigurationError(
            "There is no Losant API token, and backups are kept by token.",
            hint="Set LOSANT_API_TOKEN; `losant-mcp backups list --all` needs none.",
        )
    state = open_state_dir(settings.state_dir, settings.api_url)
    return Shelf(
        settings, backups_of(settings, state), principal_of(token), bound_application(settings)
    )


def require_database(source: Source) -> None:
    """Raise ConfigurationError for a sandbox that is only in memory, or is not there."""
    if not source.sandbox:
        return
    if source.database is None:
        raise ConfigurationError(
            "A sandbox that is only in memory leaves no backups behind.",
            hint="Name the --database that the server was started with.",
        )
    if not source.database.exists():
        raise ConfigurationError(
            f"{source.database} is not there.",
            hint="Name the --database that the server was started with.",
        )


def settings_with_token(source: Source) -> Settings:
    """The settings with the token, without asking Losant; the embedded sandbox has its own."""
    require_database(source)
    if not source.sandbox:
        return source.settings()
    from losant_mcp.cli.connection import open_store, sandbox_settings

    store = open_store(source.database)
    try:
        return sandbox_settings(source, store)
    finally:
        store.close()


# ---- words ---------------------------------------------------------------------------------


def what_of(manifest: Manifest) -> str:
    """What the backup holds, in a few words: "3,000 rows of Sites"."""
    words = counted(manifest.count, NOUNS[manifest.kind])
    if manifest.kind == "before-image":
        words += " as before a change"
    if manifest.column is not None:
        words += f" of column {shown_name(manifest.column)}"
    if manifest.table is not None:
        words += f" of {shown_name(manifest.table.name)}"
    return words


def when(manifest: Manifest, time_zone: str) -> str:
    """When the backup was made."""
    return moment(datetime.fromisoformat(manifest.created).timestamp(), time_zone)


def size(number: int) -> str:
    """The bytes as a person reads them: 1,234 bytes, 12 kB, 3.4 MB."""
    if number < 10_000:
        return f"{number:,} bytes"
    return f"{number / 1000:,.0f} kB" if number < 1_000_000 else f"{number / 1_000_000:,.1f} MB"
