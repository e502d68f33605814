"""LangGraph's own contract for savers, whole, on every kind of server and by every way in."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import (
    BASE_CAPABILITIES,
    EXTENDED_CAPABILITIES,
)

from tests.checkpoint.savers import WAYS, opened
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

SERVERS = (
    Target("redis-5.0", protocol=2),
    Target("redis-6.2", decode_responses=True),
    Target("redis-7.0", protocol=2),
    Target("valkey-9.1"),
    Target("valkey-9.1", library="valkey"),
    Target("redis-7.0", cluster=True, decode_responses=True),
    Target("valkey-9.1", cluster=True, protocol=2),
)


@pytest.mark.parametrize("target", SERVERS, ids=str)
@pytest.mark.parametrize("way", WAYS)
async def test_the_saver_does_all_that_langgraph_asks_of_one(
    target: Target, way: str, servers: Servers, prefix: str
) -> None:
    @checkpointer_test(name=f"{target} {way}")
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        async with opened(target, target.port(servers), way, key_prefix=prefix) as made:
            yield made

    report: Any = await validate(saver)
    failures = [failure for result in report.results.values() for failure in result.failures]
    assert failures == []
    passed = {name: result.tests_passed for name, result in report.results.items()}
    assert sum(passed[capability.value] for capability in BASE_CAPABILITIES) >= 58
    assert sum(passed[capability.value] for capability in EXTENDED_CAPABILITIES) >= 23
    assert report.passed_all()
