"""One test body for every way into a history: blocking, asyncio, and asyncio over a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.faults import ClusterProxy, Proxy
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers


@dataclass(frozen=True)
class DoorHistory:
    """A history whose every method is awaited under its plain name."""

    history: MemorystoreChatMessageHistory
    by_async: bool

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.by_async:
                answer = await getattr(self.history, f"a{name}")(*args, **kwargs)
            else:
                answer = getattr(self.history, name)(*args, **kwargs)
            if isinstance(answer, MemorystoreChatMessageHistory):
                return DoorHistory(answer, self.by_async)
            return answer

        return call

    async def messages(self) -> list[BaseMessage]:
        """`history.messages` or its twin."""
        return await self.history.aget_messages() if self.by_async else self.history.messages

    async def each(self) -> AsyncIterator[BaseMessage]:
        """All messages by `for` or `async for`."""
        if self.by_async:
            async for message in self.history:
                yield message
        else:
            for message in self.history:
                yield message

    async def iterated(self) -> list[BaseMessage]:
        """All messages by `for` or `async for`, as a list."""
        return [message async for message in self.each()]


@dataclass(frozen=True)
class Door:
    """A way into histories of one client."""

    client: Any
    by_async: bool
    prefix: str

    def open(self, session_id: str = "session", **options: Any) -> DoorHistory:
        """A history under the test's own prefix."""
        options.setdefault("key_prefix", self.prefix)
        history = MemorystoreChatMessageHistory(self.client, session_id, **options)
        return DoorHistory(history, self.by_async)


@pytest.fixture(params=["sync", "async", "thread"])
async def door(
    request: pytest.FixtureRequest, target: Target, servers: Servers, client: Any, prefix: str
) -> AsyncIterator[Door]:
    """Each way in, on each target."""
    if request.param == "async":
        async with asyncio_client(target, target.port(servers)) as made:
            yield Door(made, by_async=True, prefix=prefix)
    else:
        yield Door(client, by_async=request.param == "thread", prefix=prefix)


def _patience(target: Target, *, asyncio: bool) -> dict[str, Any]:
    """Options with which a client of one server tries again; a cluster's does by itself."""
    if target.cluster:
        return {}
    library: Any = import_module(target.library)
    retry = import_module(f"{target.library}{'.asyncio' * asyncio}.retry").Retry
    return {
        "retry": retry(library.backoff.NoBackoff(), 3),
        "retry_on_error": [library.ConnectionError, library.TimeoutError],
    }


@pytest.fixture(params=["sync", "async"])
async def proxied_door(
    request: pytest.FixtureRequest, target: Target, proxy: Proxy | ClusterProxy, prefix: str
) -> AsyncIterator[Door]:
    """A door whose client tries again by itself, through the network that `proxy` controls."""
    options = {**proxy.client_options, **_patience(target, asyncio=request.param == "async")}
    if request.param == "async":
        async with asyncio_client(target, proxy.port, **options) as made:
            yield Door(made, by_async=True, prefix=prefix)
    else:
        client = target.connect(proxy.port, **options)
        yield Door(client, by_async=False, prefix=prefix)
        client.close()
