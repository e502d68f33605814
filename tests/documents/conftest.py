"""Stores on every server: `door` is a way into them, as in `tests/plugins/doors.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.documents.stores import SEARCH_TARGETS, TARGETS, StoreDoor, store_door
from tests.plugins.clients import Target
from tests.plugins.servers import Servers


@pytest.fixture(params=TARGETS, ids=str)
def target(request: pytest.FixtureRequest) -> Target:
    """Every server, with search and without."""
    chosen: Target = request.param
    return chosen


@pytest.fixture(params=SEARCH_TARGETS, ids=str)
def search_target(request: pytest.FixtureRequest) -> Target:
    """Every server with search."""
    chosen: Target = request.param
    return chosen


@pytest.fixture(params=["sync", "async", "thread"])
async def door(
    request: pytest.FixtureRequest, target: Target, servers: Servers, client: Any, prefix: str
) -> AsyncIterator[StoreDoor]:
    """Each way in, on every server."""
    async with store_door(request.param, target, servers, client, prefix) as made:
        yield made


@pytest.fixture(params=["sync", "async"])
async def search_door(
    request: pytest.FixtureRequest,
    search_target: Target,
    servers: Servers,
    blocking_clients: dict[Target, Any],
    prefix: str,
) -> AsyncIterator[StoreDoor]:
    """Each way in, on every server with search."""
    client = blocking_clients[search_target]
    async with store_door(request.param, search_target, servers, client, prefix) as made:
        yield made
