"""Ways into a store, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.checkpoint.savers import PAIRS, Pair
from tests.plugins.clients import Target
from tests.plugins.servers import Servers
from tests.store.stores import DoorStore, StoreDoor, store_door


@pytest.fixture(params=PAIRS, ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Every way and every target."""
    chosen: Pair = request.param
    return chosen


@pytest.fixture
def target(pair: Pair) -> Target:
    """The target of the pair, for the other clients of a test."""
    return pair.target


@pytest.fixture
async def door(pair: Pair, servers: Servers, prefix: str) -> AsyncIterator[StoreDoor]:
    """A way in, on a target."""
    async with store_door(pair.way, pair.target, pair.target.port(servers), prefix) as made:
        yield made


@pytest.fixture
def store(door: StoreDoor) -> DoorStore:
    """A store without settings."""
    return door.open()
