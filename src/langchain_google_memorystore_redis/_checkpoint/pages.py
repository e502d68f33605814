"""Reads of checkpoints, as values: addresses, ranges, pages and listings.

Strategy: names sort by namespace, then id, so every request for checkpoints of a thread is a
sequence of ranges of names: one checkpoint, the newest, those before an id. A page answers ranges
up to a number of checkpoints or bytes; a listing is what remains to be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._checkpoint.codec import (
    PendingWrite,
    Record,
    decode_write,
)
from langchain_google_memorystore_redis._checkpoint.names import checkpoint_name, unescape
from langchain_google_memorystore_redis._checkpoint.values import Serializer, ValueDecoder
from langchain_google_memorystore_redis._redis.scan import ScanCursor
from langchain_google_memorystore_redis.errors import CorruptCheckpointError


class CheckpointAddress(NamedTuple):
    """Ids of a checkpoint, as in a config of LangGraph."""

    thread_id: str
    namespace: str
    """Empty for the root graph."""
    checkpoint_id: str
    """Empty for none in particular."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """Checkpoint as it was put, with its pending writes in order."""

    address: CheckpointAddress
    parent_id: str
    """Empty for none."""
    checkpoint: Any
    metadata: Any
    writes: list[tuple[str, str, Any]]
    """Task, channel and value of each."""


@dataclass(frozen=True, slots=True)
class NameRange:
    """Range of checkpoint names in one namespace, as the bounds that ZREVRANGEBYLEX takes."""

    high: bytes
    low: bytes

    @classmethod
    def from_ids(
        cls, namespace: str, checkpoint_id: str | None = None, before: str | None = None
    ) -> NameRange:
        """Return the range of one checkpoint, or of a namespace's, all or those below an id."""
        if checkpoint_id:
            return cls.from_name(checkpoint_name(namespace, checkpoint_id))
        first = checkpoint_name(namespace, "")
        end = checkpoint_name(namespace, before) if before else first[:-1] + b"\2"
        return cls(b"(" + end, b"[" + first)

    @classmethod
    def from_name(cls, name: bytes) -> NameRange:
        """Return the range of one checkpoint."""
        return cls(b"[" + name, b"[" + name)

    def after(self, name: bytes) -> NameRange | None:
        """Return the rest of the range, below `name`; None for a name of another namespace."""
        same_namespace = self.low[1:].partition(b"\1")[0] == name.partition(b"\1")[0]
        return NameRange(b"(" + name, self.low) if same_namespace else None


@dataclass(frozen=True, slots=True)
class CheckpointPage:
    """Reply to one read: names of checkpoints in order, and all that they refer to."""

    thread_id: str
    names: list[bytes]
    named: dict[bytes, bytes]
    """Records of checkpoints and pending writes by name."""
    values: dict[bytes, bytes]
    """Values as they are stored, by field."""
    has_more: bool

    @classmethod
    def from_reply(cls, thread_id: str, reply: Any) -> CheckpointPage:
        """Parse the reply of read.lua or delta_history.lua."""
        has_more, names, fields, values = reply
        both = dict(zip(fields, values, strict=True))
        named = {name: both.pop(name) for name in fields if name[:1] in b"cw"}
        return cls(thread_id, names, named, both, bool(has_more))

    def writes(self) -> dict[bytes, list[PendingWrite]]:
        """Return the pending writes by the name of their checkpoint, in order."""
        found: dict[bytes, list[PendingWrite]] = {name: [] for name in self.names}
        for name, raw in self.named.items():
            checkpoint = b"c" + name[1:].rsplit(b"\1", 2)[0]
            if name[:1] == b"w" and checkpoint in found:
                with self.decoding(checkpoint):
                    found[checkpoint].append(decode_write(name, raw))
        return {name: sorted(writes) for name, writes in found.items()}

    def record(self, name: bytes) -> Record:
        """Return the record of a checkpoint."""
        with self.decoding(name):
            return Record.decode(self.named[name])

    def decode_metadata(self, serde: Serializer, name: bytes) -> Any:
        """Return the metadata of a checkpoint."""
        with self.decoding(name):
            return self.record(name).decode_metadata(serde)

    def decode_checkpoints(self, decoder: ValueDecoder) -> Iterator[StoredCheckpoint]:
        """Yield the checkpoints of the page, made of new objects every time."""
        writes = self.writes()
        for name in self.names:
            yield self._decode_checkpoint(decoder, name, writes[name])

    def _decode_checkpoint(
        self, decoder: ValueDecoder, name: bytes, writes: list[PendingWrite]
    ) -> StoredCheckpoint:
        record, serde = self.record(name), decoder.serde
        with self.decoding(name):
            return StoredCheckpoint(
                self._address(name),
                record.parent_id,
                record.decode_checkpoint(decoder),
                record.decode_metadata(serde),
                [write.decode(serde) for write in writes],
            )

    def _address(self, name: bytes) -> CheckpointAddress:
        namespace, checkpoint_id = map(unescape, name[1:].split(b"\1"))
        return CheckpointAddress(self.thread_id, namespace, checkpoint_id)

    @contextmanager
    def decoding(self, name: bytes) -> Iterator[None]:
        """Raise `CorruptCheckpointError` where bytes of a checkpoint cannot be decoded."""
        try:
            yield
        except CorruptCheckpointError:
            raise
        except ValueError as error:
            # Not by unescape(): the name may be what cannot be decoded.
            namespace, _, checkpoint_id = name[1:].decode(errors="replace").partition("\1")
            problem = str(error)
            raise CorruptCheckpointError(
                self.thread_id, namespace, checkpoint_id, problem
            ) from error


@dataclass(frozen=True, slots=True)
class Listing:
    """Position of a listing, and the conditions on its checkpoints."""

    thread_ids: tuple[str, ...]
    """The thread that `ranges` belong to, then those to list after it."""
    ranges: tuple[NameRange, ...] = ()
    """Ranges still to read; empty before the first page of a thread."""
    scan_cursor: ScanCursor | None = None
    """Position of the search for threads, without nodes before its start; None for no search."""
    namespace: str | None = None
    """None for all of a thread."""
    checkpoint_id: str | None = None
    before: str | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    remaining: int | None = None
    """Number of checkpoints still wanted; None for all."""
    seen_thread_ids: set[str] = field(default_factory=set)
    """Threads found so far, because SCAN may return one twice."""

    def after(self, page: CheckpointPage, found: int) -> Listing | None:
        """Return the listing after a page with `found` matches; None at its end."""
        remaining = None if self.remaining is None else self.remaining - found
        if remaining == 0:
            return None
        ranges = list(self.ranges)
        if page.has_more:
            while (rest := ranges[0].after(page.names[-1])) is None:
                ranges.pop(0)
            return replace(self, ranges=(rest, *ranges[1:]), remaining=remaining)
        thread_ids = self.thread_ids[1:]
        if not thread_ids and self.scan_cursor is None:
            return None
        return replace(self, thread_ids=thread_ids, ranges=(), remaining=remaining)
