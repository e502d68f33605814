"""Which runner a client needs.

Strategy: decided once, when the history is made, by what the object offers and never by its
class: redis-py and valkey-py, standalone, cluster and sentinel, and wrappers of them all have
`execute_command`, only asyncio clients are async context managers, only pipelines, which send
nothing by themselves, have `execute`, and only pubsubs, which answer nothing else, `get_message`.
Nothing is sent to find out.
"""

from __future__ import annotations

from typing import Any

from langchain_google_memorystore_redis._redis.runners import (
    AsyncRunner,
    AwaitableRunner,
    BlockingRunner,
    NoRunner,
    Runner,
    ThreadRunner,
)
from langchain_google_memorystore_redis.errors import InvalidClientError


def runners_for(client: Any, async_client: Any = None) -> tuple[BlockingRunner, AwaitableRunner]:
    """The runner of the blocking methods and that of the async ones."""
    _require_client("client", client)
    if async_client is not None:
        _require_client("async_client", async_client)
        if not _is_async(async_client):
            raise InvalidClientError("async_client must be an asyncio client (redis.asyncio)")
        if _is_async(client):
            raise InvalidClientError(
                "client and async_client are both asyncio clients: give one of them alone, "
                "or a blocking client first"
            )
    if _is_async(client):
        return NoRunner(client), AsyncRunner(client)
    blocking = Runner(client)
    return blocking, ThreadRunner(blocking) if async_client is None else AsyncRunner(async_client)


def _is_async(client: Any) -> bool:
    return hasattr(client, "__aenter__")


def _require_client(name: str, client: Any) -> None:
    if isinstance(client, type):
        got = f"the class {client.__module__}.{client.__qualname__}: make a client of it"
    elif hasattr(client, "execute"):
        got = "a pipeline"
    elif hasattr(client, "get_message"):
        got = "a pubsub"
    elif hasattr(client, "execute_command"):
        return
    else:
        got = f"an object of type {type(client).__name__}"
    raise InvalidClientError(
        f"{name} must be a client of redis-py or valkey-py, such as "
        f'redis.from_url("redis://127.0.0.1:6379"); got {got}'
    )
