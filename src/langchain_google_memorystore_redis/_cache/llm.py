"""`MemorystoreCache`, LangChain's interface to a cache of models' answers.

Strategy: a thin adapter: `operations.py` decides what to send, and `codec.py` converts answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.outputs import Generation

from langchain_google_memorystore_redis._cache.answers import AnswerOps
from langchain_google_memorystore_redis._cache.outages import OnOutage
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.sharing import SharesClient


class MemorystoreCache(SharesClient, BaseCache):
    """Cache of the answers of language models, in Memorystore for Redis or Valkey.

    Args:
        client: a client of redis-py or valkey-py, blocking or asyncio, standalone, cluster or
            sentinel. A blocking client serves async methods from a thread.
        ttl: seconds (or a timedelta) after which an answer is asked for again; None keeps it until
            30 days after its last use.
        async_client: an asyncio client for the async methods, beside a blocking `client`.
        key_prefix: beginning of all keys of the cache.
        on_outage: treatment of a server that cannot be reached, or is full, loading or read-only:
            "miss" counts its answers as missing, logs that once a minute at most, and leaves the
            server alone for a second after each failure; "raise" raises the client's error.

    An answer is found by the prompt and the model's parameters, and comes back equal, in the same
    classes, with its token counts. What cannot be stored exactly, such as the object in
    `additional_kwargs["parsed"]`, is not cached, and logged once. Nothing that is stored is ever
    run, and content that is damaged counts as missing. Missing rights, wrong credentials and a
    closed client raise the error of the client or of this package, whatever `on_outage` is.

    Examples:
        >>> from langchain_core.globals import set_llm_cache
        >>> from langchain_core.language_models import FakeListChatModel
        >>> set_llm_cache(MemorystoreCache(client, ttl=24 * 3600))
        >>> model = FakeListChatModel(responses=["first", "second"])
        >>> model.invoke("hi").content, model.invoke("hi").content
        ('first', 'first')
        >>> set_llm_cache(None)
    """

    def __init__(
        self,
        client: Any,
        ttl: float | timedelta | None = None,
        *,
        async_client: Any = None,
        key_prefix: str = "cache:",
        on_outage: OnOutage = "miss",
    ) -> None:
        self._sync, self._async = runners_for(client, async_client)
        self._ops = AnswerOps(key_prefix, ttl, on_outage)
        self._key_prefix = key_prefix

    def __repr__(self) -> str:
        """Return the class and its prefix, never the client, which may hold a password."""
        return f"{type(self).__name__}(key_prefix={self._key_prefix!r})"

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Return the answer to a prompt of a model with these parameters; None if it is missing.

        One round trip.

        Examples:
            >>> cache.lookup("2 + 2?", "model of the docs")
        """
        return self._sync.run(self._ops.find(prompt, llm_string))

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """Async twin of `lookup`."""
        return await self._async.run(self._ops.find(prompt, llm_string))

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Store the answer to a prompt of a model with these parameters. One round trip.

        Examples:
            >>> from langchain_core.outputs import Generation
            >>> cache.update("2 + 2?", "model of the docs", [Generation(text="4")])
            >>> cache.lookup("2 + 2?", "model of the docs")
            [Generation(text='4')]
        """
        self._sync.run(self._ops.store(prompt, llm_string, return_val))

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Async twin of `update`."""
        await self._async.run(self._ops.store(prompt, llm_string, return_val))

    def clear(self, **kwargs: Any) -> None:
        """Make all answers under the prefix stale, for every process at once.

        One round trip (a node, on a cluster), however many answers there are: they expire later. A
        failure raises, in an outage too; repeat the call. `kwargs` are ignored.

        Examples:
            >>> cache.clear()
            >>> cache.lookup("2 + 2?", "model of the docs")
        """
        self._sync.run(self._ops.clear(None))

    async def aclear(self, **kwargs: Any) -> None:
        """Async twin of `clear`."""
        await self._async.run(self._ops.clear(None))
