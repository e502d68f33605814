"""LangGraph's operations on stores as requests, and answers as LangGraph's items.

Strategy: everything is checked here, before anything is sent, and to the same rules for `put` and
for `batch`. Namespaces that LangGraph refuses raise its own `InvalidNamespaceError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    PutOp,
    SearchItem,
    SearchOp,
    get_text_at_path,
    tokenize_path,
)

from langchain_google_memorystore_redis._filters.language import parse_filter
from langchain_google_memorystore_redis._redis.arguments import (
    boolean,
    is_unicode,
    not_negative,
    positive,
)
from langchain_google_memorystore_redis._store.codec import StoredItem, encode_value
from langchain_google_memorystore_redis._store.keys import Namespace
from langchain_google_memorystore_redis._store.requests import (
    Delete,
    Get,
    ListNamespaces,
    Pattern,
    Put,
    Request,
    Search,
)
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIN_MINUTES = 0.99 / 60_000
"""1 ms, and a little less where minutes are no exact fraction of it."""

_MAX_MINUTES = 10**9
"""About 1,900 years."""


@dataclass(frozen=True, slots=True)
class Parser:
    """Conversion of LangGraph's operations, for one store.

    `fields` are the paths to texts whose vectors an item has; None without semantic search.
    """

    fields: tuple[str, ...] | None

    def parse(self, ops: Iterable[Any]) -> list[Request]:
        """Check operations and return them as requests."""
        return [self._parse(op) for op in ops]

    def _parse(self, op: Any) -> Request:
        match op:
            case GetOp():
                refresh = boolean("refresh_ttl", op.refresh_ttl)
                return Get(parse_namespace(op.namespace), _parse_key(op.key), refresh)
            case PutOp():
                return self._parse_put(op)
            case SearchOp():
                return Search(
                    parse_namespace(op.namespace_prefix),
                    parse_filter(op.filter),
                    not_negative("limit", op.limit),
                    not_negative("offset", op.offset),
                    None if self.fields is None else _parse_query(op.query),
                    boolean("refresh_ttl", op.refresh_ttl),
                )
            case ListNamespacesOp():
                return _parse_listing(op)
        kind = type(op).__name__
        raise ArgumentTypeError("ops", f"must be LangGraph's GetOp, PutOp or the like, not {kind}")

    def _parse_put(self, op: PutOp) -> Request:
        namespace, name = parse_namespace(op.namespace), _parse_key(op.key)
        if not namespace:
            raise InvalidNamespaceError("Namespace cannot be empty.")
        if op.value is None:
            return Delete(namespace, name)
        if namespace[0] == "langgraph":
            raise InvalidNamespaceError(
                f'Root label for namespace cannot be "langgraph". Got: {namespace}'
            )
        if not isinstance(op.value, Mapping):
            raise ArgumentTypeError("value", f"must be a dict, not {type(op.value).__name__}")
        value = encode_value(namespace, op.key, op.value)
        return Put(namespace, name, value, parse_ttl(op.ttl), self._texts(op))

    def _texts(self, op: PutOp) -> tuple[str, ...]:
        if op.index is not None and op.index is not False:
            parse_fields(op.index)
        if self.fields is None or op.index is False:
            return ()
        fields = self.fields if op.index is None else op.index
        value = dict(op.value or {})
        return tuple(
            text
            for field in fields
            for text in get_text_at_path(value, field if field == "$" else tokenize_path(field))
        )


def parse_fields(fields: Any) -> tuple[str, ...]:
    """Check paths to texts."""
    if not isinstance(fields, (list, tuple)) or not all(isinstance(each, str) for each in fields):
        raise ArgumentTypeError(
            "index", f'must be False or a list of paths, such as ["text"], not {fields!r:.80}'
        )
    return tuple(fields)


def parse_namespace(namespace: Any) -> Namespace:
    """Check a namespace, or a part of one."""
    if not isinstance(namespace, (tuple, list)):
        raise InvalidNamespaceError(
            f"A namespace must be a tuple of strings, not {type(namespace).__name__}"
        )
    for label in namespace:
        if not isinstance(label, str):
            problem = f"must be strings, but got {type(label).__name__}"
        elif not label:
            problem = "cannot be empty strings"
        elif "." in label or "\0" in label:
            problem = "cannot contain periods ('.') or NUL bytes"
        elif not is_unicode(label):
            problem = "cannot contain lone surrogates, which UTF-8 cannot carry"
        else:
            continue
        raise InvalidNamespaceError(f"Namespace labels {problem}. Got {label!r} in {namespace!r}")
    return tuple(namespace)


def _parse_key(key: Any) -> bytes:
    if not isinstance(key, str):
        raise ArgumentTypeError("key", f"must be a str, not {type(key).__name__}")
    if not is_unicode(key):
        raise InvalidArgumentError("key", "holds a lone surrogate, which UTF-8 cannot carry")
    return key.encode()


def _parse_query(query: Any) -> str | None:
    if query is not None and not isinstance(query, str):
        raise ArgumentTypeError("query", f"must be a str, not {type(query).__name__}")
    return query or None


def parse_ttl(ttl: Any) -> int:
    """Convert minutes to milliseconds; None to 0."""
    if ttl is None:
        return 0
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise ArgumentTypeError("ttl", f"must be minutes, not {type(ttl).__name__}")
    if not _MIN_MINUTES <= ttl <= _MAX_MINUTES:  # NaN is not either
        raise InvalidArgumentError(
            "ttl", f"must be from 1 ms to {_MAX_MINUTES:,} minutes; None sets no expiry"
        )
    return round(ttl * 60_000)


def _parse_listing(op: ListNamespacesOp) -> ListNamespaces:
    patterns = []
    for condition in op.match_conditions or ():
        if condition.match_type not in ("prefix", "suffix"):
            raise InvalidArgumentError(
                "match_type", f'must be "prefix" or "suffix", not {condition.match_type!r:.80}'
            )
        is_suffix = condition.match_type == "suffix"
        patterns.append(Pattern(parse_namespace(tuple(condition.path)), is_suffix))
    max_depth = None if op.max_depth is None else positive("max_depth", op.max_depth)
    limit, offset = not_negative("limit", op.limit), not_negative("offset", op.offset)
    return ListNamespaces(patterns, max_depth, limit, offset)


def make_result(answer: Any) -> Any:
    """Return an answer as LangGraph's: an item, a list of items found, or what it is."""
    if isinstance(answer, StoredItem):
        return Item(
            value=answer.value,
            key=answer.key,
            namespace=answer.namespace,
            created_at=_time(answer.created_us),
            updated_at=_time(answer.updated_us),
        )
    if isinstance(answer, list):
        return [_make_found(each) if isinstance(each, StoredItem) else each for each in answer]
    return answer


def _make_found(item: StoredItem) -> SearchItem:
    return SearchItem(
        namespace=item.namespace,
        key=item.key,
        value=item.value,
        created_at=_time(item.created_us),
        updated_at=_time(item.updated_us),
        score=item.score,
    )


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
