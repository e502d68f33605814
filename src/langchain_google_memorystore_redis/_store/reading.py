"""Reading of items by their place in an order.

Strategy: an index says which items there are, newest first; their records are read some at a time
until there are as many matches as were asked for. Entries without an item are skipped, and removed
afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from langchain_google_memorystore_redis._filters.language import EVERYTHING, Condition
from langchain_google_memorystore_redis._filters.predicate import holds
from langchain_google_memorystore_redis._redis.op import Op, as_it_is, ignore_reply
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis._store.codec import StoredItem, decode_item, decode_value
from langchain_google_memorystore_redis._store.keys import Namespace, StoreKeys
from langchain_google_memorystore_redis._store.together import Waves
from langchain_google_memorystore_redis.errors import SearchLimitError

T = TypeVar("T")

KEYS_PER_COMMAND = 128
_ENTRIES_PER_STEP = 256
"""Records that a filter examines in one step."""

_REMOVE_MISSING = Script(__package__, "remove_missing")


class Entry(NamedTuple):
    """Entry of an index: an item, and the time of its last update in microseconds."""

    namespace: Namespace
    name: bytes
    updated_us: int
    score: float | None = None


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in the order of their updates, and of their names where these are equal."""
    return sorted(entries, key=lambda each: (-each.updated_us, each.namespace, each.name))


def index_page(
    namespace: Namespace, index: bytes, count: int, high: str = "+inf"
) -> Op[list[Entry]]:
    """Return the newest entries of an index below a score."""

    def decode(reply: Any) -> list[Entry]:
        # RESP3 pairs members with their scores.
        if reply and not isinstance(reply[0], bytes):
            return [Entry(namespace, member[1:], int(score)) for member, score in reply]
        pairs = zip(reply[::2], reply[1::2], strict=True)
        return [Entry(namespace, member[1:], int(float(score))) for member, score in pairs]

    command = ("ZREVRANGEBYSCORE", index, high, "(0", "WITHSCORES", "LIMIT", 0, count)
    return Op(command, decode)


def by_namespace(entries: Iterable[Entry]) -> dict[Namespace, list[Entry]]:
    """Return entries by their namespace."""
    found: dict[Namespace, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.namespace, []).append(entry)
    return found


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield items, some at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


@dataclass(slots=True)
class Reader:
    """Reading until as many items match as were asked for."""

    keys: StoreKeys
    condition: Condition
    wanted: int
    max_examined: int
    found: list[StoredItem] = field(default_factory=list)
    missing: list[Entry] = field(default_factory=list)
    _examined: int = 0

    @property
    def is_complete(self) -> bool:
        """True if there are as many as were asked for."""
        return len(self.found) >= self.wanted

    def read(self, entries: Sequence[Entry]) -> Waves[None]:
        """Read items in this order until there are enough of them."""
        start, is_filtered = 0, self.condition is not EVERYTHING
        while start < len(entries) and not self.is_complete:
            if is_filtered and self._examined >= self.max_examined:
                raise SearchLimitError(self.max_examined, problem=self._problem())
            step = _ENTRIES_PER_STEP if is_filtered else self.wanted - len(self.found)
            some = entries[start : start + min(step, _ENTRIES_PER_STEP)]
            records = yield from read_values(self.keys, some)
            self._examined += len(some)
            start += len(some)
            for entry, record in zip(some, records, strict=True):
                if record is None:
                    self.missing.append(entry)
                    continue
                space, name, _, score = entry
                value = decode_value(space, name, record)
                if not is_filtered or holds(self.condition, value):
                    self.found.append(decode_item(space, name, record, value, score))

    def _problem(self) -> str:
        return (
            f"the filter matches {len(self.found)} of the newest {self._examined:,} items examined "
            f"here, and {self.wanted} were asked for. Search a narrower namespace, ask for fewer, "
            "or raise max_scored."
        )

    def remove_missing(self) -> Waves[None]:
        """Remove the entries of items that were not there."""
        ops = []
        for namespace, entries in by_namespace(self.missing).items():
            keys = self.keys.of(namespace)
            for some in chunks([each.name for each in entries], KEYS_PER_COMMAND):
                items = [keys.item_prefix + name for name in some]
                ops.append(_REMOVE_MISSING.op([keys.index_key, *items], some, ignore_reply))
        if ops:
            yield ops


def read_values(
    keys: StoreKeys, entries: Sequence[Entry], *, vectors: bool = False
) -> Waves[list[bytes | None]]:
    """Return the records of entries, or their vectors; None where there is none."""
    places: dict[Namespace, list[int]] = {}
    for place, entry in enumerate(entries):
        places.setdefault(entry.namespace, []).append(place)
    ops: list[Op[list[bytes | None]]] = []
    for namespace, some in places.items():
        names = keys.of(namespace)
        prefix = names.vectors_prefix if vectors else names.item_prefix
        wanted = [prefix + entries[place].name for place in some]
        ops += [Op(("MGET", *chunk), as_it_is) for chunk in chunks(wanted, KEYS_PER_COMMAND)]
    values = yield ops
    read: list[bytes | None] = [None] * len(entries)
    order = (place for some in places.values() for place in some)
    for place, value in zip(order, (each for some in values for each in some), strict=True):
        read[place] = value
    return read
