"""The choice of a runner for a client.

Strategy: a client is recognised by its methods and never by its class, since redis-py, valkey-py
and wrappers of them are all welcome. All have `execute_command`; only asyncio clients have
`__aenter__`, only pipelines `execute`, and only pubsubs `get_message`. Nothing is sent.
"""

from __future__ import annotations

from typing import Any

from langchain_google_memorystore_redis._redis.runners import (
    AsyncRunner,
    AwaitableRunner,
    BlockingRunner,
    LoopRunner,
    Runner,
)
from langchain_google_memorystore_redis._redis.threads import ThreadRunner
from langchain_google_memorystore_redis.errors import InvalidClientError


def runners_for(client: Any, async_client: Any = None) -> tuple[BlockingRunner, AwaitableRunner]:
    """Return the runner of the blocking methods and that of the async methods.

    Raises `InvalidClientError` for an object that is no client, or no fitting pair of clients.
    """
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
        return LoopRunner(client), AsyncRunner(client)
    blocking = Runner(client)
    return blocking, ThreadRunner(client) if async_client is None else AsyncRunner(async_client)


def is_cluster(client: Any) -> bool:
    """Tell whether a client sends commands to the nodes of a cluster."""
    return hasattr(client, "nodes_manager")


def _is_async(client: Any) -> bool:
    return hasattr(client, "__aenter__")


def _require_client(name: str, client: Any) -> None:
    if isinstance(client, type):
        got = f"the class {client.__module__}.{client.__qualname__}: create a client from it"
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
