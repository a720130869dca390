"""Objects that were named one by one: what becomes of the set, whatever they are.

Rows and events are reached in different ways (``run_rows``, ``run_events``); which of them are
still the same, and how far a run came that was stopped, is told alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from losant_mcp.errors import LosantMcpError
from losant_mcp.guard.running import Chunks, Ran, Run, Stopped, in_groups


class NamedSet(ABC):
    """The objects of one run. ``same`` are those that are still as the person saw them.

    ``changed`` and ``gone`` count the others; ``deleted`` says whether any was deleted for
    certain, and ``newest`` is the newest change among ``same``.
    """

    what: str
    """What they are called."""
    in_a_step: int
    """How many ids one step takes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seen = dict(run.plan.planned.items)
        self.same: list[str] = []
        self.changed = 0
        self.gone = 0
        self.newest: str | None = None
        self.deleted = False

    @abstractmethod
    def present(self) -> Chunks:
        """The objects, whole, that are still as the person saw them; the others are counted."""

    @abstractmethod
    async def delete(self, ids: Sequence[str]) -> int:
        """Delete these unless they changed meanwhile; how many were removed."""

    @abstractmethod
    async def there(self, ids: Sequence[str]) -> list[str]:
        """Which of these exist."""

    def note_newest(self, dates: Iterable[str | None]) -> None:
        """Remember the newest change of what was backed up."""
        known = [date for date in (*dates, self.newest) if date]
        self.newest = max(known, default=None)

    async def delete_same(self, backup_id: str) -> Ran:
        """Delete all that is still the same, step by step. Raises Stopped."""
        removed = 0
        try:
            for group in in_groups(self.same, self.in_a_step):
                removed += await self.delete(group)
                await self.run.progress(removed, len(self.same), f"{self.what} deleted")
            left = len(await self.there(self.same)) if removed < len(self.same) else 0
        except LosantMcpError as error:
            raise Stopped(error, await self.known(error, removed, backup_id, self.same)) from error
        return Ran(
            removed=removed,
            kept=self.changed + left,
            gone=self.gone + len(self.same) - removed - left,
            backup_id=backup_id,
        )

    async def known(
        self, error: LosantMcpError, removed: int, backup_id: str, ids: Sequence[str]
    ) -> Ran:
        """How far a run came that was stopped: counted at Losant where it answers."""
        if error.changed == "nothing" and not self.deleted:
            return Ran(backup_id=backup_id)
        try:
            removed = len(ids) - len(await self.there(ids))
        except LosantMcpError:
            note = f"At least {removed:,} {self.what} were deleted; Losant cannot be asked now."
            return Ran(removed=removed, backup_id=backup_id, note=note, unclear=True)
        return Ran(removed=removed, backup_id=backup_id)
