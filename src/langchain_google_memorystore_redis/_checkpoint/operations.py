"""The operations on threads of checkpoints.

Strategy: a thread is two keys in one slot. `data`, a hash, holds everything under names; `index`,
a sorted set with every score 0, holds the names that have an order: checkpoints by namespace and
id, pending writes by checkpoint. So each operation is one script over two known keys, both
expire at once, and neither says anything without the other, should a full server evict one.
What LangGraph's classes are is known to the public module alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from langchain_google_memorystore_redis._checkpoint.codec import (
    Serializer,
    channel_name,
    checkpoint_name,
    encode_record,
    encode_value,
    encode_write,
    escape,
    unescape,
    value_name,
    write_name,
)
from langchain_google_memorystore_redis._checkpoint.delta import delta_history
from langchain_google_memorystore_redis._checkpoint.keys import (
    ThreadKeys,
    thread_id_of,
    thread_keys,
    thread_prefix,
)
from langchain_google_memorystore_redis._checkpoint.pages import (
    Listing,
    Page,
    Place,
    Range,
    Stored,
)
from langchain_google_memorystore_redis._redis.arguments import one_of
from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis._redis.scripts import Script

T = TypeVar("T")

PAGE = 50
"""Checkpoints that a round trip of a listing moves at the most."""

PAGE_BYTES = 1_000_000
"""Bytes after which a page ends, whatever it holds by then."""

RECORDS_PAGE = 500
"""Checkpoints that a round trip looks at, where their values are not needed."""

_HALF = "_drop_half_thread"
_PUT = Script(__package__, "put", begin=_HALF)
_WRITE = Script(__package__, "write", begin=_HALF)
_READ = Script(__package__, "read")
_SPACES = Script(__package__, "spaces")
_DELETE = Script(__package__, "delete")
_FORGET = Script(__package__, "forget")
_PRUNE = Script(__package__, "prune")
_FILL = Script(__package__, "fill", begin=_HALF)


def _ignore(_: Any) -> None:
    return None


def _optional(reply: Any) -> bytes | None:
    return reply or None


def _flat(fields: Mapping[bytes, bytes]) -> Iterable[bytes]:
    return (part for item in fields.items() for part in item)


@dataclass(frozen=True, slots=True)
class CheckpointOps:
    """What can be asked of the threads under a prefix."""

    key_prefix: str
    serde: Serializer
    ttl_ms: int = 0
    """Time to live in milliseconds, 0 for none."""
    refresh_on_read: bool = False

    def keys(self, thread_id: str) -> ThreadKeys:
        """The keys of a thread."""
        return thread_keys(self.key_prefix, thread_id)

    def put(
        self,
        parent: Place,
        checkpoint: Mapping[str, Any],
        metadata: Mapping[str, Any],
        new_versions: Mapping[str, Any],
    ) -> Flow[None]:
        """Store a checkpoint, and the values of those channels that have a new version.

        If the others are gone, because the thread expired, was deleted or pruned meanwhile, they
        are stored as well: a second round trip.
        """
        thread_id, namespace, parent_id = parent
        values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
        names = {each: channel_name(each, v) for each, v in {**versions, **new_versions}.items()}
        channels = {value_name(namespace, names[each]): each for each in values if each in names}
        referred = (names[channel] for channel in versions)
        record = encode_record(self.serde, checkpoint, metadata, parent_id, referred)
        name = checkpoint_name(namespace, checkpoint["id"])
        new = {field for field, channel in channels.items() if channel in new_versions}
        while True:
            stored: dict[bytes, bytes] = {}
            for field in new:
                stored[field], elements = encode_value(self.serde, values[channels[field]])
                stored.update(elements)
            old = [field for field in channels if field not in new]
            args = (self.ttl_ms, name, record, len(old), *old, *_flat(stored))
            missing = yield from ask(_PUT.op(self.keys(thread_id), args, list[bytes]))
            if not missing:
                return
            new.update(missing)

    def write(
        self,
        place: Place,
        task_id: str,
        task_path: str,
        writes: Iterable[tuple[int, str, Any]],
    ) -> Op[None]:
        """Store a task's pending writes: index, channel and value of each."""
        thread_id, namespace, checkpoint_id = place
        args: list[Any] = [self.ttl_ms]
        for index, channel, value in writes:
            name = write_name(namespace, checkpoint_id, task_id, index)
            raw = encode_write(self.serde, task_path, channel, value)
            args += name, "1" if index < 0 else "0", raw
        return _WRITE.op(self.keys(thread_id), args, _ignore)

    def get(self, place: Place) -> Op[Stored | None]:
        """A checkpoint, the newest if none is named."""
        thread_id, namespace, checkpoint_id = place

        def decode(reply: Any) -> Stored | None:
            page = Page.of(reply)
            return page.stored(self.serde, thread_id, page.names[0]) if page.names else None

        return self._read(thread_id, (Range.of(namespace, checkpoint_id),), decode, most=1)

    def page(self, listing: Listing) -> Flow[tuple[list[Stored], Listing | None]]:
        """Some checkpoints, newest first in each namespace, and where the listing goes on."""
        while not listing.ranges:
            if listing.threads:
                ranges = yield from self._ranges(listing)
                threads = listing.threads if ranges else listing.threads[1:]
                listing = replace(listing, threads=threads, ranges=ranges)
            elif listing.scan is not None:
                scan = listing.scan if listing.scan.nodes else (yield from self.scan())
                found, following = yield from self.threads(scan)
                new = tuple(thread for thread in found if thread not in listing.seen)
                listing.seen.update(new)
                listing = replace(listing, threads=new, scan=following)
            else:
                return [], None
        if listing.filter:
            return (yield from self._matching(listing))
        thread_id = listing.threads[0]
        most = PAGE if listing.left is None else min(PAGE, listing.left)
        page = yield from ask(self._read(thread_id, listing.ranges, Page.of, most=most))
        stored = [page.stored(self.serde, thread_id, name) for name in page.names]
        return stored, listing.after(page, len(stored))

    def _ranges(self, listing: Listing) -> Flow[tuple[Range, ...]]:
        spaces = [listing.namespace or ""]
        if listing.namespace is None:
            spaces = yield from self._spaces(listing.threads[0])
        return tuple(Range.of(space, listing.checkpoint_id, listing.before) for space in spaces)

    def _matching(self, listing: Listing) -> Flow[tuple[list[Stored], Listing | None]]:
        """As `page`: only the serializer can read metadata, so they are looked at here."""
        thread_id, found = listing.threads[0], list[Stored]()
        read = self._read(thread_id, listing.ranges, Page.of, most=RECORDS_PAGE, state=False)
        page = yield from ask(read)
        matching = [name for name in page.names if self._matches(page, name, listing.filter)]
        names = matching[: listing.left]
        while names:
            ranges = tuple(map(Range.of_name, names))
            state = yield from ask(self._read(thread_id, ranges, Page.of, most=PAGE))
            found += [state.stored(self.serde, thread_id, name) for name in state.names]
            # Not by their number: another client may have removed one meanwhile.
            names = names[names.index(state.names[-1]) + 1 :] if state.has_more else []
        return found, listing.after(page, len(found))

    def _matches(self, page: Page, name: bytes, wanted: Mapping[str, Any]) -> bool:
        metadata = page.metadata(self.serde, name)
        return all(metadata.get(key) == value for key, value in wanted.items())

    def history(self, place: Place, channels: Sequence[str]) -> Flow[dict[str, Any]]:
        """What LangGraph makes the values of delta channels from."""
        start = Range.of(place.namespace, place.checkpoint_id)
        return delta_history(self.keys(place.thread_id), self.serde, start, channels)

    def delete(self, thread_id: str) -> Op[None]:
        """Remove a thread."""
        return _DELETE.op(self.keys(thread_id), (), _ignore)

    def prune(self, thread_ids: Sequence[str], strategy: str) -> Flow[None]:
        """Remove threads, or all of them but the newest checkpoint of each namespace."""
        keep_latest = one_of("strategy", strategy, ("keep_latest", "delete")) == "keep_latest"
        for thread_id in thread_ids:
            op = _PRUNE.op(self.keys(thread_id), (), _ignore)
            yield from ask(op if keep_latest else self.delete(thread_id))

    def copy(self, source: str, target: str) -> Flow[None]:
        """Add the checkpoints of a thread, and their pending writes, to another, newest first."""
        ranges = yield from self._ranges(Listing((source,)))
        listing = Listing((source,), ranges) if ranges else None
        while listing is not None:
            page = yield from ask(self._read(source, listing.ranges, Page.of, most=PAGE))
            args = (self.ttl_ms, *_flat(page.fields))
            yield from ask(_FILL.op(self.keys(target), args, _ignore))
            listing = listing.after(page, 0)

    def scan(self) -> Flow[ScanCursor]:
        """Where the listing of all threads begins; no round trip."""
        return (yield from start_scan())

    def threads(self, cursor: ScanCursor) -> Flow[tuple[list[str], ScanCursor | None]]:
        """Some threads under the prefix, and where the listing of them goes on."""
        rests, following = yield from scan_page(thread_prefix(self.key_prefix), cursor)
        return [found for rest in rests if (found := thread_id_of(rest)) is not None], following

    def forget(self, run_ids: Sequence[str]) -> Flow[None]:
        """Remove what these runs have stored, in every thread."""
        if not run_ids:
            return
        runs = tuple(map(escape, run_ids))
        cursor: ScanCursor | None = yield from self.scan()
        while cursor is not None:
            threads, cursor = yield from self.threads(cursor)
            for thread_id in threads:
                last: bytes | None = b"c"
                while last is not None:
                    args = (b"(" + last, RECORDS_PAGE, *runs)
                    last = yield from ask(_FORGET.op(self.keys(thread_id), args, _optional))

    def _spaces(self, thread_id: str) -> Flow[list[str]]:
        """The namespaces of a thread."""
        spaces: list[str] = []
        low = b"[c"
        while True:
            op = _SPACES.op(self.keys(thread_id), (low, RECORDS_PAGE), list[bytes])
            found = yield from ask(op)
            spaces += map(unescape, found)
            if len(found) < RECORDS_PAGE:
                return spaces
            low = b"[c%b\2" % found[-1]

    def _read(
        self,
        thread_id: str,
        ranges: Sequence[Range],
        decode: Callable[[Any], T],
        *,
        most: int,
        state: bool = True,
    ) -> Op[T]:
        bounds = [bound for part in ranges for bound in (part.high, part.low)]
        ttl_ms = self.ttl_ms if self.refresh_on_read else 0
        args = (ttl_ms, most, PAGE_BYTES, "1" if state else "0", *bounds)
        return _READ.op(self.keys(thread_id), args, decode)
