"""Keys of a cache: its entries, and the generations that they belong to.

Strategy: an entry's key ends in a hash of its parts with their lengths, so that no two entries
share one. Keys are spread over shards, each in one slot of a cluster with generations of its own,
so that a lookup and an update are one script there too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from langchain_google_memorystore_redis._redis.arguments import iterable_not_str
from langchain_google_memorystore_redis._redis.keys import tagged_prefix

_SHARDS = 64
"""Enough for an even share of 16 nodes; `clear` removes one small key of each."""


class CacheKeys:
    """Keys under one prefix; raises `InvalidArgumentError` for a prefix that cannot be used."""

    def __init__(self, key_prefix: str) -> None:
        self._prefix = tagged_prefix(key_prefix).encode()

    def of_entry(self, parts: Iterable[str], namespace: Sequence[str] | None = None) -> list[bytes]:
        """Return the keys of an entry's generations, and then its own.

        Without a namespace, the generation of its shard is the only one.
        """
        if namespace is not None:
            iterable_not_str("namespace", namespace)
        name = _digest(parts if namespace is None else (*namespace, *parts))
        shard = self._shard(int(name[:2], 16) % _SHARDS)
        generations = [shard + b"generation"]
        if namespace is not None:
            generations.append(_generation(shard, namespace))
        return [*generations, shard + name]

    def of_generations(self, namespaces: Sequence[Sequence[str]] | None) -> list[list[bytes]]:
        """Return the keys of generations by shard: those of namespaces, or of the whole cache."""
        shards = [self._shard(number) for number in range(_SHARDS)]
        if namespaces is None:
            return [[shard + b"generation"] for shard in shards]
        named = [iterable_not_str("namespaces, each", each) for each in namespaces]
        return [[_generation(shard, each) for each in named] for shard in shards]

    def _shard(self, number: int) -> bytes:
        return b"%b{%02x}:" % (self._prefix, number)


def _generation(shard: bytes, namespace: Iterable[str]) -> bytes:
    return b"%b%b:generation" % (shard, _digest(namespace))


def _digest(parts: Iterable[str]) -> bytes:
    """Return 40 hexadecimal digits for texts, which may hold lone surrogates."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest().encode()
