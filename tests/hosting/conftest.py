"""Fixtures of the hosting tests: commands in this process, and a Redis that replicas share."""

from __future__ import annotations

from tests.cli.conftest import logging_as_before as logging_as_before
from tests.cli.conftest import run as run
from tests.guard.conftest import redis as redis
from tests.guard.conftest import worker_redis as worker_redis
