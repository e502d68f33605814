"""Candidates that are LangGraph checkpointers."""
# ruff: noqa: D102 - the methods are documented in the base classes

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from benchmarks.worker.adapters.base import TTL, SaverAdapter


class _ValkeyClient(SaverAdapter):
    """Saver on a client of valkey-py, so that only the savers differ."""

    packages: tuple[str, ...] = ("valkey", "libvalkey", *SaverAdapter.packages)

    @cache  # noqa: B019 - an adapter lives as long as its process
    def client(self, url: str) -> Any:
        return import_module("valkey").Valkey.from_url(url + self.client_options)


class Memorystore(_ValkeyClient):
    """This package's `MemorystoreSaver`."""

    packages = ("langchain-google-memorystore-redis", *_ValkeyClient.packages)

    def saver(self, url: str) -> Any:
        package = import_module("langchain_google_memorystore_redis")
        return package.MemorystoreSaver(self.client(url), ttl=TTL)


class Valkey(_ValkeyClient):
    """langgraph-checkpoint-aws's `ValkeySaver`."""

    packages = ("langgraph-checkpoint-aws", *_ValkeyClient.packages)

    def saver(self, url: str) -> Any:
        return import_module("langgraph_checkpoint_aws").ValkeySaver(self.client(url), ttl=TTL)


class Redis(SaverAdapter):
    """langgraph-checkpoint-redis's `RedisSaver`: JSON documents, found by indices."""

    packages = ("langgraph-checkpoint-redis", "redis", "hiredis", *SaverAdapter.packages)

    @cache  # noqa: B019
    def saver(self, url: str) -> Any:
        cls = import_module("langgraph.checkpoint.redis").RedisSaver
        saver = cls(redis_client=self.client(url), ttl={"default_ttl": TTL // 60})
        saver.setup()
        return saver
