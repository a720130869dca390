"""A guarded server per test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.calling import Mode
from tests.guard.guarding import Guarded, guarded_server
from tests.served import Sandbox


@pytest.fixture
async def guarded(sandbox: Sandbox, mode: Mode, tmp_path: Path) -> AsyncIterator[Guarded]:
    """A server over the demo whose state lies in a folder of its own."""
    async with AsyncExitStack() as stack:
        yield await guarded_server(sandbox, mode, tmp_path / "state", stack)
