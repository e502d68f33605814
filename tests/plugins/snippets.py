"""Runs what the documentation shows: Python blocks of Markdown files, examples of docstrings."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from langchain_google_memorystore_redis import MemorystoreCache, MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._connect import connect as connection
from tests.plugins.servers import Servers
from tests.servers.processes import Endpoint


def _connect(
    from_url: Callable[..., Any], url: str, documented: str, *args: Any, **options: Any
) -> Any:
    assert documented == "redis://127.0.0.1:6379"
    return from_url(url, *args, **options)


class _Bookmark:
    """The block that this process ran last: pages are read from the top, whole or not at all.

    Another process of the test run may be given the blocks between two of ours, and another page
    may leave messages in a session of the same name.
    """

    _last: tuple[str, int] | None = None

    def go_to(self, example: Example, server: Endpoint) -> None:
        """Run the blocks before this one again, unless the one just before it ran last."""
        page = example.document.path
        before = [other for other in example.document.examples() if other.start < example.start]
        if not before or self._last != (page, before[-1].start):
            server.cli("FLUSHALL")
            example.namespace.clear()
            for other in before:
                other.evaluate()
        self._last = (page, example.start)


@pytest.fixture(scope="session")
def _bookmark() -> _Bookmark:
    return _Bookmark()


@pytest.fixture
def documented_server(
    request: pytest.FixtureRequest,
    servers: Servers,
    _bookmark: _Bookmark,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The server at the address that documentation names."""
    example: Example = request.node.example
    with_search = Path(example.path).stem in {"vector_store", "documents_030"}
    server = servers.of_pages("valkey-9.1-search" if with_search else "valkey-9.1")
    for module in (redis, redis.asyncio):
        connect = functools.partial(_connect, module.from_url, server.url)
        monkeypatch.setattr(module, "from_url", connect)
    located = functools.partial(_connect, connection.parse_address, server.url)
    monkeypatch.setattr(connection, "parse_address", located)
    _bookmark.go_to(example, server)
    return server.url


@pytest.fixture(autouse=True)
def _names_of_docstrings(
    request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]
) -> Iterator[None]:
    """`client`, `history` with one message, `saver`, `store` and caches, for docstrings."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    servers: Servers = request.getfixturevalue("servers")
    with_search = "._documents" in request.node.name
    url = servers.standalone("valkey-9.1-search" if with_search else "valkey-9.1").url
    with redis.Redis.from_url(url) as client:
        if "._checkpoint" in request.node.name:
            from langchain_google_memorystore_redis import MemorystoreSaver

            doctest_namespace.update(saver=MemorystoreSaver(client))
        if "._store" in request.node.name:
            from langchain_google_memorystore_redis import MemorystoreStore

            doctest_namespace.update(store=MemorystoreStore(client))
        if with_search:
            from langchain_core.embeddings import DeterministicFakeEmbedding

            from langchain_google_memorystore_redis import MemorystoreVectorStore

            embedding = DeterministicFakeEmbedding(size=8)
            name = request.node.name.rpartition(".")[2]
            store = MemorystoreVectorStore(client, name, embedding, fields={"lang": "tag"})
            doctest_namespace.update(store=store)
        if "._cache" in request.node.name:
            doctest_namespace.update(_caches(client, f"docs-cache:{request.node.name}:"))
        history = MemorystoreChatMessageHistory(client, f"docs:{request.node.name}")
        history.add_user_message("hi")
        doctest_namespace.update(client=client, history=history, url=url)
        yield
        history.clear()


def _caches(client: redis.Redis, prefix: str) -> dict[str, Any]:
    caches: dict[str, Any] = {"cache": MemorystoreCache(client, key_prefix=prefix)}
    if find_spec("langgraph") is not None:
        from langchain_google_memorystore_redis import MemorystoreNodeCache

        caches["nodes"] = MemorystoreNodeCache(client, key_prefix=prefix)
    return caches


def _blocks(document: Document) -> Iterator[Region]:
    """Blocks of Python; those with agents only where there is LangGraph (see conftest.py)."""
    has_agents = find_spec("langgraph") is not None
    for region in PythonCodeBlockParser()(document):
        if has_agents or not re.search(r"langchain\.agents|MemorystoreStore", region.parsed):
            yield region


pytest_collect_file = Sybil(
    path=str(Path(__file__).parents[2]),
    parsers=[_blocks],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["documented_server"],
).pytest()
