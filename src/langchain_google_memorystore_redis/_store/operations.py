"""Operations on the items of a store, alone and in batches.

Strategy: a batch is cut where a search or listing follows a write, or a write one of these; within
a part all is independent, or is of one namespace, whose operations one connection sends in order.
So a part takes the round trips of its longest operation.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_google_memorystore_redis._redis.op import Flow, Op, ask, ignore_reply
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis._store.codec import StoredItem, decode_item, decode_value
from langchain_google_memorystore_redis._store.keys import Namespace, StoreKeys, namespace_name
from langchain_google_memorystore_redis._store.namespaces import PUT_SECONDS, Namespaces
from langchain_google_memorystore_redis._store.requests import (
    Delete,
    Get,
    ItemRequest,
    ListNamespaces,
    Put,
    Request,
    Search,
)
from langchain_google_memorystore_redis._store.searches import Searches
from langchain_google_memorystore_redis._store.together import Waves, together

if TYPE_CHECKING:
    from langchain_google_memorystore_redis._store.semantics import Semantics

_PUT = Script(__package__, "put", begin=("_index",))
_GET = Script(__package__, "get", begin=("_index", "_refresh"))
_DELETE = Script(__package__, "delete")


@dataclass(frozen=True, slots=True)
class StoreOps:
    """Operations under a key prefix."""

    keys: StoreKeys
    max_scored: int
    is_cluster: bool
    """True where no script can write to two namespaces."""
    semantics: Semantics | None = None

    @property
    def _namespaces(self) -> Namespaces:
        return Namespaces(self.keys)

    def single(self, request: Request) -> Op[Any] | None:
        """Return the operation of a request that takes no more than one; None for others."""
        match request:
            case Put(texts=texts):
                return None if texts or self.is_cluster else self._put(request, b"")
            case Get():
                return self._get(request)
            case Delete():
                return self._delete(request)
        return None

    def batch(self, requests: Sequence[Request]) -> Flow[list[Any]]:
        """Run requests as if one after another, and return their answers in order."""
        rows, queries = yield from self._embed(requests)
        answers: list[Any] = [None] * len(requests)
        for places in _parts(requests):
            part = [requests[place] for place in places]
            items = [each for each in part if isinstance(each, (Put, Get, Delete))]
            if len(items) == len(part):
                found = yield from self._write(items, rows)
            else:
                found = yield from together([self._read(each, queries) for each in part])
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        return answers

    def _embed(
        self, requests: Sequence[Request]
    ) -> Flow[tuple[dict[tuple[str, ...], bytes], dict[str, bytes]]]:
        """Return the vectors of all texts and queries; the only calls of the embedding."""
        semantics = self.semantics
        if semantics is None:
            return {}, {}
        texts = [request.texts for request in requests if isinstance(request, Put)]
        rows = yield from semantics.embed_items(texts)
        asked = [request.query for request in requests if isinstance(request, Search)]
        queries = {}
        for query in dict.fromkeys(each for each in asked if each is not None):
            queries[query] = yield from semantics.embed_query(query)
        return rows, queries

    def _read(self, request: Request, queries: Mapping[str, bytes]) -> Waves[Any]:
        if isinstance(request, Search):
            searches = Searches(self.keys, self._namespaces, self.semantics, self.max_scored)
            query = None if request.query is None else queries[request.query]
            return (yield from searches.search(request, query))
        if isinstance(request, ListNamespaces):
            return (yield from self._namespaces.list_matching(request))
        (answer,) = yield [self._op(request, {})]
        return answer

    def _write(
        self, requests: Sequence[ItemRequest], rows: Mapping[tuple[str, ...], bytes]
    ) -> Flow[list[Any]]:
        """Run puts, gets and deletes: a step, and one before it in a cluster if there are puts."""
        puts = [each.namespace for each in requests if isinstance(each, Put)]
        began = time.time()
        if puts and self.is_cluster:
            yield from ask(self._namespaces.enter(puts))
        last = _without_overwritten(requests)
        (found,) = yield from together([_step([self._op(each, rows) for each in last.values()])])
        if puts and self.is_cluster and time.time() - began > PUT_SECONDS:
            yield from ask(self._namespaces.enter(puts))
        answers = dict(zip(last, found, strict=True))
        return [answers.get(place) for place in range(len(requests))]

    def _op(self, request: ItemRequest, rows: Mapping[tuple[str, ...], bytes]) -> Op[Any]:
        if isinstance(request, Put):
            return self._put(request, rows.get(request.texts, b""))
        return self._get(request) if isinstance(request, Get) else self._delete(request)

    def _put(self, put: Put, vectors: bytes) -> Op[None]:
        keys = self.keys.of(put.namespace).of_items([put.name])
        now_us = time.time_ns() // 1000
        args = [put.name, secrets.token_bytes(8), put.ttl_ms, put.value, vectors, now_us]
        if not self.is_cluster:
            keys += self.keys.names
            args.append(namespace_name(put.namespace))
        return _PUT.op(keys, args, ignore_reply)

    def _get(self, get: Get) -> Op[StoredItem | None]:
        keys = self.keys.of(get.namespace)
        decode = partial(_decode_record, get)
        if get.refresh:
            return _GET.op(keys.of_items([get.name]), (get.name,), decode)
        return Op(("GET", keys.item_prefix + get.name), decode)

    def _delete(self, delete: Delete) -> Op[None]:
        keys = self.keys.of(delete.namespace).of_items([delete.name])
        return _DELETE.op(keys, (delete.name,), ignore_reply)


def _decode_record(get: Get, record: bytes | None) -> StoredItem | None:
    if record is None:
        return None
    value = decode_value(get.namespace, get.name, record)
    return decode_item(get.namespace, get.name, record, value)


def _step(ops: Sequence[Op[Any]]) -> Waves[list[Any]]:
    return (yield ops)


def _without_overwritten(requests: Sequence[ItemRequest]) -> dict[int, ItemRequest]:
    """Return requests by their places, without puts that the next one on the item overwrites."""
    kept: dict[int, ItemRequest] = {}
    last: dict[tuple[Namespace, bytes], int] = {}
    for place, request in enumerate(requests):
        item = (request.namespace, request.name)
        if isinstance(request, Put) and isinstance(kept.get(last.get(item, -1)), Put):
            del kept[last[item]]
        kept[place] = request
        last[item] = place
    return kept


def _parts(requests: Sequence[Request]) -> list[list[int]]:
    """Return the places of requests, cut between writes and searches or listings."""
    parts: list[list[int]] = []
    is_writing: bool | None = None
    for place, request in enumerate(requests):
        writes = is_writing if isinstance(request, Get) else isinstance(request, (Put, Delete))
        if not parts or (is_writing is not None and is_writing != writes):
            parts.append([])
        is_writing = writes
        parts[-1].append(place)
    return parts
