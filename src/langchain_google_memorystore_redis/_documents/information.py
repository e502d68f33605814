"""State of an index, read from FT.INFO.

Strategy: each engine and version answers in another shape, in maps or arrays, with other names.
What is known is looked for; what is missing is taken as unknown, and never as a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_google_memorystore_redis._filters.expression import alias
from langchain_google_memorystore_redis._redis.op import Op


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """State of an index."""

    name: str
    documents: int
    """Documents in the index."""
    indexed: float
    """Part of the existing documents that has been indexed, from 0 to 1."""
    ready: bool
    """True if nothing waits to be indexed."""
    failures: int = 0
    """Documents that could not be indexed, for lack of a usable vector or number."""
    dimensions: int | None = None
    distance: str | None = None
    algorithm: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    """The type of each field, "tag" or "numeric", under the name that filters use."""
    prefixes: tuple[str, ...] = ()
    vector_field: str | None = None
    knows_escapes: bool = False
    """True for RediSearch, which reads a backslash in a query as an escape in every version."""

    def joined(self, other: IndexInfo | None) -> IndexInfo:
        """Return the state of this index and its part on another node of a cluster."""
        if other is None:
            return self
        return replace(
            self,
            documents=self.documents + other.documents,
            indexed=min(self.indexed, other.indexed),
            ready=self.ready and other.ready,
            failures=self.failures + other.failures,
        )


def info_op(name: str, node: str | None) -> Op[IndexInfo]:
    """Return the state of an index on one node; raises `IndexMissingError` if it has none."""
    return Op(("FT.INFO", name), lambda reply: parse_info(name, reply), node=node)


def list_op(node: str | None) -> Op[list[str]]:
    """Return the names of all indexes."""
    return Op(("FT._LIST",), lambda reply: sorted(map(_text, reply)), node=node)


def parse_info(name: str, reply: Any) -> IndexInfo:
    """Read FT.INFO of RediSearch or valkey-search: maps or arrays, nested in either way."""
    info = _mapping(reply)
    vector: dict[str, Any] = {}
    fields = {}
    for attribute in map(_mapping, info.get("attributes", ())):
        kind = _text(attribute.get("type")).lower()
        if kind == "vector":
            vector = vector or {**attribute, **_mapping(attribute.get("index", ()))}
        elif alias(_text(attribute.get("identifier"))) == _text(attribute.get("attribute")):
            fields[_text(attribute.get("identifier"))] = kind
    algorithm = vector.get("algorithm")
    if isinstance(algorithm, (list, dict)):
        algorithm = _mapping(algorithm).get("name")
    indexed = _number(info.get("percent_indexed", info.get("backfill_complete_percent", 1)))
    waiting = ("indexing", "backfill_in_progress", "mutation_queue_size")
    state = _text(info.get("state", b"ready"))
    definition = _mapping(info.get("index_definition", ()))
    return IndexInfo(
        name,
        documents=int(_number(info.get("num_docs", 0))),
        indexed=indexed,
        ready=state == "ready" and not any(_number(info.get(each, 0)) for each in waiting),
        failures=int(_number(info.get("hash_indexing_failures", 0))),
        dimensions=int(_number(vector.get("dim", vector.get("dimensions", 0)))) or None,
        distance=_text(vector.get("distance_metric", b"")).upper() or None,
        algorithm=_text(algorithm or b"").upper() or None,
        fields=fields,
        prefixes=tuple(map(_text, definition.get("prefixes", ()))),
        vector_field=_text(vector.get("identifier", b"")) or None,
        knows_escapes="gc_stats" in info,
    )


def _mapping(reply: Any) -> dict[str, Any]:
    """Return a map, or an array of names and values, as a dict; flags at its end are lost."""
    pairs: Iterable[tuple[Any, Any]] = (
        reply.items() if isinstance(reply, Mapping) else zip(reply[::2], reply[1::2], strict=False)
    )
    return {_text(name).lower(): value for name, value in pairs if isinstance(name, (bytes, str))}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(value: Any) -> float:
    """Return a number, whatever follows it in its text ("0 sec")."""
    try:
        return float(_text(value).split()[0])
    except (ValueError, IndexError):
        return 0.0
