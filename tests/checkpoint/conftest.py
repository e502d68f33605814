"""Ways into a saver, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.checkpoint.savers import PAIRS, Pair, Saver, opened
from tests.plugins.clients import Target
from tests.plugins.servers import Servers


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
async def saver(pair: Pair, servers: Servers, prefix: str) -> AsyncIterator[Saver]:
    """A way in, on a target."""
    async with opened(pair.target, pair.target.port(servers), pair.way, key_prefix=prefix) as made:
        yield made
