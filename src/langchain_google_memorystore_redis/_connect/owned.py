"""Context managers that own a client, for `from_conn_string`.

Strategy: one object serves `with` and `async with`, because other packages have a class for each of
the two and users bring code for either. The client is one of `connect()` or `aconnect()`, made on
entering the block and closed on leaving it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar

from langchain_google_memorystore_redis._connect.connect import aconnect, connect, naming_address
from langchain_google_memorystore_redis._redis.sharing import SharesClient
from langchain_google_memorystore_redis.errors import ArgumentTypeError

T = TypeVar("T")


class OwnedClient(SharesClient, AbstractContextManager[T], AbstractAsyncContextManager[T]):
    """Context of an object whose client lives as long as a `with` or `async with` block.

    Args:
        factory: makes the object, given the client.
        url: the server's.
        cluster: as `connect()` takes it.
        options: further options of `connect()`.
    """

    def __init__(
        self,
        factory: Callable[[Any], T],
        url: str,
        *,
        cluster: bool | None,
        options: Mapping[str, Any],
    ) -> None:
        if not isinstance(url, str):  # None would be an embedded server that keeps nothing
            raise ArgumentTypeError("conn_string", f"must be a str, not {type(url).__name__}")
        self._factory = factory
        self._url = url
        self._options = {"cluster": cluster, **options}
        self._client: Any = None

    def __enter__(self) -> T:
        """Make a blocking client and the object."""
        with naming_address("conn_string"):
            self._client = connect(self._url, **self._options)
        try:
            return self._factory(self._client)
        except BaseException:
            self._client.close()
            raise

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self._client.close()

    async def __aenter__(self) -> T:
        """Make an asyncio client and the object."""
        with naming_address("conn_string"):
            self._client = await aconnect(self._url, **self._options)
        try:
            return self._factory(self._client)
        except BaseException:
            await self._client.aclose()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self._client.aclose()
