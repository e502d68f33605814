"""The list of all namespaces: entering, listing, and forgetting those that are empty.

Strategy: every put writes its namespace's entry and the time, in the same script as the item, or
before it in a cluster. A listing hides a namespace that it finds empty, and removes an entry only
if its last write was long before it looked and is still the last: what was being put had arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._redis.op import Op, as_it_is, ignore_reply
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis._store.keys import (
    Namespace,
    StoreKeys,
    after_all_under,
    bounds_under,
    namespace_name,
    parse_name,
)
from langchain_google_memorystore_redis._store.requests import ListNamespaces
from langchain_google_memorystore_redis._store.together import Waves

PUT_SECONDS = 30.0
"""Time from entry to item beyond which a put enters its namespace again."""

_GRACE_US = 60_000_000
"""Age of an entry's last write from which an empty namespace may be forgotten."""

_PAGE = 500
"""Namespaces that one round trip lists at the most."""

_ENTER = Script(__package__, "enter", begin=("_index",))
_LIST = Script(__package__, "list_names", begin=("_index",))
_HAS_ITEMS = Script(__package__, "has_items", begin=("_index",))
_FORGET = Script(__package__, "forget")


class NamesPage(NamedTuple):
    """Names of namespaces in order, and the times of their last writes."""

    now_us: int
    names: list[bytes]
    writes: list[bytes | None]

    def forgettable(self, namespaces: Sequence[Namespace]) -> list[bytes]:
        """Return names and times of those namespaces whose last write is long ago."""
        names = {namespace_name(each) for each in namespaces}
        pairs = ((name, write or b"") for name, write in zip(self.names, self.writes, strict=True))
        return [
            part
            for name, write in pairs
            if name in names and _microseconds(write) < self.now_us - _GRACE_US
            for part in (name, write)
        ]


def _microseconds(write: bytes) -> int:
    return int(write) if write.isdigit() else 0


def _decode_page(reply: Any) -> NamesPage:
    now, names, writes = reply
    return NamesPage(int(now), names, writes)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Namespaces under a key prefix."""

    keys: StoreKeys

    def enter(self, namespaces: Sequence[Namespace]) -> Op[None]:
        """Enter namespaces before something is put into them."""
        names = [namespace_name(each) for each in dict.fromkeys(namespaces)]
        return _ENTER.op(self.keys.names, names, ignore_reply)

    def page(self, low: bytes, high: bytes, count: int) -> Op[NamesPage]:
        """List names between bounds, at most 1,000."""
        return _LIST.op(self.keys.names, (low, high, count), _decode_page)

    def names_under(self, prefix: Namespace, count: int) -> Op[list[bytes]]:
        """List the first names under a prefix, of empty namespaces too."""
        low, high = bounds_under(prefix)
        command = ("ZRANGEBYLEX", self.keys.names[0], low, high, "LIMIT", 0, count)
        return Op(command, as_it_is)

    def forget(self, parts: Sequence[bytes]) -> Op[None]:
        """Remove entries of empty namespaces, unless they were written meanwhile."""
        return _FORGET.op(self.keys.names, parts, ignore_reply)

    def list_matching(self, request: ListNamespaces) -> Waves[list[Namespace]]:
        """Return the namespaces that hold items and match, in order."""
        wanted = request.offset + request.limit
        start = max((each.literal for each in request.patterns), key=len, default=())
        found = yield from self.under(start, wanted if request.limit else 0, request)
        return found[request.offset : wanted]

    def under(
        self, start: Namespace, wanted: int, request: ListNamespaces | None = None
    ) -> Waves[list[Namespace]]:
        """Return the first namespaces that hold items and begin so, in order.

        With a request, only those that match, cut to its depth.
        """
        patterns = request.patterns if request else ()
        depth = request.max_depth if request else None
        low, high = bounds_under(start)
        found: dict[Namespace, None] = {}
        while len(found) < wanted:
            count = _PAGE if patterns else min(wanted - len(found), _PAGE)
            (page,) = yield [self.page(low, high, count)]
            candidates = [
                each
                for each in map(parse_name, page.names)
                if each[:depth] not in found and all(p.matches(each) for p in patterns)
            ]
            full = yield from self._holding_items(page, candidates)
            found.update(dict.fromkeys(each[:depth] for each in full))
            if len(page.names) < count:
                break
            last = parse_name(page.names[-1])[:depth]
            low = after_all_under(last) if last in found and depth else b"(" + page.names[-1]
        return list(found)[:wanted]

    def _holding_items(
        self, page: NamesPage, candidates: Sequence[Namespace]
    ) -> Waves[list[Namespace]]:
        """Return the namespaces that hold items, and forget those that do so no longer."""
        if not candidates:
            return []
        ops = [_HAS_ITEMS.op([self.keys.of(each).index_key], (), int) for each in candidates]
        states = yield ops
        paired = list(zip(candidates, states, strict=True))
        parts = page.forgettable([each for each, state in paired if state < 0])
        if parts:
            yield [self.forget(parts)]
        return [each for each, state in paired if state > 0]
