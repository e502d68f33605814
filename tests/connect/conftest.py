"""Fixtures of the tests about connecting."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.connect.ways import Way
from tests.plugins.servers import Servers
from tests.servers.processes import Engine


@pytest.fixture(params=["connect", "aconnect"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    """Each way to connect."""
    made = Way(request.param)
    yield made
    await made.close()


@pytest.fixture
def engine(servers: Servers) -> Engine:
    """The engine that is built with TLS."""
    return servers.engine("redis-7.0")
