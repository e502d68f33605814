"""Operations on threads of checkpoints.

Strategy: a thread is two keys in one slot: `data`, a hash, holds everything under names, and
`index`, a sorted set with every score 0, the names that have an order (checkpoints by namespace and
id, pending writes by checkpoint). So each operation is one script over two known keys, both keys
expire at once, and neither is of use alone, should a full server evict one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from langchain_google_memorystore_redis._checkpoint.changes import change_thread, delete_thread
from langchain_google_memorystore_redis._checkpoint.codec import encode_record, encode_write
from langchain_google_memorystore_redis._checkpoint.compression import CompressingSerializer
from langchain_google_memorystore_redis._checkpoint.delta import delta_history
from langchain_google_memorystore_redis._checkpoint.encoding import ValueEncoder
from langchain_google_memorystore_redis._checkpoint.keys import (
    ThreadKeys,
    parse_thread_id,
    thread_keys,
    thread_prefix,
)
from langchain_google_memorystore_redis._checkpoint.names import (
    checkpoint_name,
    escape,
    unescape,
    version_name,
    write_name,
)
from langchain_google_memorystore_redis._checkpoint.pages import (
    CheckpointAddress,
    CheckpointPage,
    Listing,
    NameRange,
    StoredCheckpoint,
)
from langchain_google_memorystore_redis._checkpoint.pruning import prune_thread
from langchain_google_memorystore_redis._checkpoint.thread_cache import CachedThread, ThreadCache
from langchain_google_memorystore_redis._checkpoint.values import (
    ValueDecoder,
    from_stored,
    to_stored,
)
from langchain_google_memorystore_redis._redis.arguments import one_of
from langchain_google_memorystore_redis._redis.op import Flow, Op, ask
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page, start_scan
from langchain_google_memorystore_redis._redis.scripts import Script
from langchain_google_memorystore_redis.errors import CorruptCheckpointError

T = TypeVar("T")

CHECKPOINTS_PER_PAGE = 50
"""Checkpoints that one round trip of a listing or copy reads at the most."""

PAGE_BYTES = 1_000_000
"""Size at which a page ends, however few checkpoints it holds."""

RECORDS_PER_PAGE = 500
"""Checkpoints that one round trip examines where their values are not needed."""

_PUT_BEGIN = ("_whole", "_records", "_lowest_id", "_lacking", "_garbage", "_store_values")
_PUT = Script(__package__, "put", begin=_PUT_BEGIN)
_PUT_WRITES = Script(__package__, "put_writes", begin=("_whole",))
_READ = Script(__package__, "read", begin=("_records", "_replies"))
_NAMESPACES = Script(__package__, "namespaces")
_DELETE_BEGIN = ("_whole", "_records", "_garbage", "_remove")
_DELETE_FOR_RUNS = Script(__package__, "delete_for_runs", begin=_DELETE_BEGIN)
_COPY = Script(__package__, "copy", begin=("_whole", "_garbage", "_store_values"))


def _flatten(fields: Mapping[bytes, bytes]) -> Iterator[bytes]:
    return (part for item in fields.items() for part in item)


@dataclass(frozen=True, slots=True)
class CheckpointOps:
    """Operations on the threads under a prefix."""

    key_prefix: str
    serde: CompressingSerializer
    ttl_ms: int = 0
    """Time to live in milliseconds, 0 for none."""
    refresh_on_read: bool = False
    cache: ThreadCache | None = None

    def keys(self, thread_id: str) -> ThreadKeys:
        """Return the keys of a thread."""
        return thread_keys(self.key_prefix, thread_id)

    def put(
        self,
        parent: CheckpointAddress,
        checkpoint: Mapping[str, Any],
        metadata: Mapping[str, Any],
        new_versions: Mapping[str, Any],
    ) -> Flow[None]:
        """Store a checkpoint, and the values of those channels that have a new version.

        The other values are those of the parent, and of the new ones only those contents are sent
        that the process does not hold. What the thread lacks of either, because it expired or was
        deleted or pruned, is sent then: a second round trip, and more only if that happens again.
        """
        thread_id, namespace, parent_id = parent
        values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
        # Of all channels, those without a value too: no name may hold what UTF-8 cannot carry.
        names = {each: version_name(each, v) for each, v in {**versions, **new_versions}.items()}
        channels = {names[each]: each for each in values if each in names}
        name = checkpoint_name(namespace, checkpoint["id"])
        parent_name = checkpoint_name(namespace, parent_id) if parent_id else b""
        record = encode_record(self.serde, checkpoint, metadata, parent_id)
        new = {each for each, channel in channels.items() if channel in new_versions}
        thread, unknown = self._cached(parent), set[bytes]()
        knows_nothing = not parent_id and not namespace
        while True:
            encoder = ValueEncoder(self.serde, thread, unknown, knows_nothing=knows_nothing)
            fields = {
                each: encoder.encode(values[channels[each]]) for each in channels if each in new
            }
            old = [each for each in channels if each not in new]
            head = (self.ttl_ms, name, parent_name, *record, len(old), *old, len(fields))
            args = (*head, *_flatten(fields), *_flatten(to_stored(encoder.sent())))
            missing, lacking = yield from change_thread(_PUT, self.keys(thread_id), args)
            if not missing and not lacking:
                thread.learn(encoder.contents, fields.values(), is_all=False)
                return
            new.update(missing)
            unknown |= encoder.with_elements(lacking)

    def put_writes(
        self,
        address: CheckpointAddress,
        task_id: str,
        task_path: str,
        writes: Iterable[tuple[int, str, Any]],
    ) -> Flow[None]:
        """Store a task's pending writes: index, channel and value of each."""
        thread_id, namespace, checkpoint_id = address
        args: list[Any] = [self.ttl_ms]
        for index, channel, value in writes:
            name = write_name(namespace, checkpoint_id, task_id, index)
            raw = encode_write(self.serde, task_path, channel, value)
            args += name, "1" if index < 0 else "0", raw
        yield from change_thread(_PUT_WRITES, self.keys(thread_id), args)

    def get(self, address: CheckpointAddress) -> Op[StoredCheckpoint | None]:
        """Return a checkpoint, the newest of its namespace if the address names none."""
        thread_id, namespace, checkpoint_id = address

        thread = self._cached(address)
        held, cached = thread.recall()

        def decode(reply: Any) -> StoredCheckpoint | None:
            page = CheckpointPage.from_reply(thread_id, reply)
            decoder = ValueDecoder(self.serde, page.values, cached)
            found = next(page.decode_checkpoints(decoder), None)
            if found is not None:
                fields = page.record(page.names[0]).values
                thread.learn(decoder.decoded, fields.values(), is_all=True)
            return found

        ranges = (NameRange.from_ids(namespace, checkpoint_id),)
        return self._read(thread_id, ranges, decode, limit=1, held=held)

    def list_page(self, listing: Listing) -> Flow[tuple[list[StoredCheckpoint], Listing | None]]:
        """Return the next checkpoints, newest first in each namespace, and the listing after them.

        There may be none although the listing goes on; it ends with None.
        """
        while not listing.ranges:
            if listing.thread_ids:
                ranges = yield from self._ranges(listing)
                thread_ids = listing.thread_ids if ranges else listing.thread_ids[1:]
                listing = replace(listing, thread_ids=thread_ids, ranges=ranges)
            elif listing.scan_cursor is not None:
                cursor = listing.scan_cursor
                if not cursor.nodes:
                    cursor = yield from start_scan()
                found, following = yield from self._scan_threads(cursor)
                new = tuple(each for each in found if each not in listing.seen_thread_ids)
                listing.seen_thread_ids.update(new)
                listing = replace(listing, thread_ids=new, scan_cursor=following)
            else:
                return [], None
        if listing.filter:
            return (yield from self._list_filtered(listing))
        thread_id = listing.thread_ids[0]
        limit = CHECKPOINTS_PER_PAGE
        if listing.remaining is not None:
            limit = min(limit, listing.remaining)
        page = yield from ask(self._read_page(thread_id, listing.ranges, limit))
        stored = list(page.decode_checkpoints(ValueDecoder(self.serde, page.values)))
        return stored, listing.after(page, len(stored))

    def _ranges(self, listing: Listing) -> Flow[tuple[NameRange, ...]]:
        """Return the ranges to read of a listing's first thread."""
        namespaces = [listing.namespace or ""]
        if listing.namespace is None:
            namespaces = yield from self._list_namespaces(listing.thread_ids[0])
        return tuple(
            NameRange.from_ids(namespace, listing.checkpoint_id, listing.before)
            for namespace in namespaces
        )

    def _list_filtered(
        self, listing: Listing
    ) -> Flow[tuple[list[StoredCheckpoint], Listing | None]]:
        """Filter a page here, because only the serializer can read metadata; see `list_page`."""
        thread_id, found = listing.thread_ids[0], list[StoredCheckpoint]()
        records = self._read_page(thread_id, listing.ranges, RECORDS_PER_PAGE, with_state=False)
        page = yield from ask(records)
        matching = [name for name in page.names if self._matches(page, name, listing.filter)]
        names = matching[: listing.remaining]
        while names:
            ranges = tuple(map(NameRange.from_name, names))
            state = yield from ask(self._read_page(thread_id, ranges, CHECKPOINTS_PER_PAGE))
            found += state.decode_checkpoints(ValueDecoder(self.serde, state.values))
            # By name, not by count: another client may have removed a checkpoint meanwhile.
            names = names[names.index(state.names[-1]) + 1 :] if state.has_more else []
        return found, listing.after(page, len(found))

    def _matches(self, page: CheckpointPage, name: bytes, filter: Mapping[str, Any]) -> bool:  # noqa: A002
        metadata = page.decode_metadata(self.serde, name)
        return all(metadata.get(key) == value for key, value in filter.items())

    def delta_history(
        self, address: CheckpointAddress, channels: Sequence[str]
    ) -> Flow[dict[str, Any]]:
        """Return the seeds and writes from which LangGraph makes the values of delta channels."""
        keys, thread = self.keys(address.thread_id), self._cached(address, b"deltas")
        return delta_history(keys, self.serde, address, channels, thread)

    def delete(self, thread_id: str) -> Op[None]:
        """Remove a thread."""
        return delete_thread(self.keys(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> Flow[None]:
        """Remove the checkpoints that runs have stored in any thread, with their writes."""
        if not run_ids:
            return
        runs = tuple(map(escape, run_ids))
        cursor: ScanCursor | None = yield from start_scan()
        while cursor is not None:
            thread_ids, cursor = yield from self._scan_threads(cursor)
            for thread_id in thread_ids:
                keys, start = self.keys(thread_id), b"[c"
                while start:
                    args = (start, RECORDS_PER_PAGE, PAGE_BYTES, *runs)
                    start = yield from change_thread(_DELETE_FOR_RUNS, keys, args)

    def prune(self, thread_ids: Sequence[str], strategy: str) -> Flow[None]:
        """Remove threads, or all of them but the newest checkpoint of each namespace."""
        keep_latest = one_of("strategy", strategy, ("keep_latest", "delete")) == "keep_latest"
        # Every id is checked before any thread is changed.
        for keys in [self.keys(thread_id) for thread_id in thread_ids]:
            if keep_latest:
                yield from prune_thread(keys)
            else:
                yield from ask(delete_thread(keys))

    def copy(self, source_thread_id: str, target_thread_id: str) -> Flow[None]:
        """Add the checkpoints of a thread, and their writes, to another thread, newest first."""
        ranges = yield from self._ranges(Listing((source_thread_id,)))
        listing = Listing((source_thread_id,), ranges) if ranges else None
        while listing is not None:
            read = self._read_page(source_thread_id, listing.ranges, CHECKPOINTS_PER_PAGE)
            page = yield from ask(read)
            args = (self.ttl_ms, len(page.named), *_flatten(page.named))
            contents = {field: from_stored(raw) for field, raw in page.values.items()}
            args += tuple(_flatten(to_stored(contents)))
            yield from change_thread(_COPY, self.keys(target_thread_id), args)
            listing = listing.after(page, 0)

    def _cached(self, address: CheckpointAddress, part: bytes = b"values") -> CachedThread:
        """Return what the process holds of the values, or the deltas, of a namespace."""
        data_key = self.keys(address.thread_id).data_key
        place = b"%b\0%b\0%b" % (data_key, escape(address.namespace), part)
        return CachedThread(self.cache, self.serde.serde, place)

    def _scan_threads(self, cursor: ScanCursor) -> Flow[tuple[list[str], ScanCursor | None]]:
        """Return some ids of threads under the prefix, and the cursor of the next ones."""
        suffixes, following = yield from scan_page(thread_prefix(self.key_prefix), cursor)
        thread_ids = map(parse_thread_id, suffixes)
        return [thread_id for thread_id in thread_ids if thread_id is not None], following

    def _list_namespaces(self, thread_id: str) -> Flow[list[str]]:
        """Return the namespaces of a thread in order."""
        namespaces: list[str] = []
        start = b"[c"
        while True:
            args = (start, RECORDS_PER_PAGE)
            found = yield from ask(_NAMESPACES.op(self.keys(thread_id), args, list[bytes]))
            for each in found:
                try:
                    namespaces.append(unescape(each))
                except ValueError as error:
                    raise CorruptCheckpointError(thread_id, repr(each), "", str(error)) from error
            if len(found) < RECORDS_PER_PAGE:
                return namespaces
            start = b"[c%b\2" % found[-1]

    def _read_page(
        self, thread_id: str, ranges: Sequence[NameRange], limit: int, *, with_state: bool = True
    ) -> Op[CheckpointPage]:
        decode = partial(CheckpointPage.from_reply, thread_id)
        return self._read(thread_id, ranges, decode, limit=limit, with_state=with_state)

    def _read(
        self,
        thread_id: str,
        ranges: Sequence[NameRange],
        decode: Callable[[Any], T],
        *,
        limit: int,
        with_state: bool = True,
        held: Sequence[bytes] = (),
    ) -> Op[T]:
        """Read checkpoints of ranges in order, with or without their values and writes.

        The contents of fields that are held, and of what these name, are not read.
        """
        bounds = [bound for each in ranges for bound in (each.high, each.low)]
        ttl_ms = self.ttl_ms if self.refresh_on_read else 0
        state = "1" if with_state else "0"
        args = (ttl_ms, limit, PAGE_BYTES, state, len(held), *held, *bounds)
        return _READ.op(self.keys(thread_id), args, decode)
