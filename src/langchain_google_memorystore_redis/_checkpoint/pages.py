"""What a read of checkpoints asks for, and what it gives.

Strategy: names sort by namespace, then id, so everything that can be asked of a thread is a row of
ranges: one checkpoint, the newest, those before an id. A page answers ranges up to a number of
checkpoints or bytes; a listing is what is left to ask. All of it is values; nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._checkpoint.codec import (
    Record,
    Serializer,
    Write,
    checkpoint_name,
    decode_checkpoint,
    decode_metadata,
    decode_values,
    decode_write,
    unescape,
)
from langchain_google_memorystore_redis._redis.scan import ScanCursor


class Place(NamedTuple):
    """Where a checkpoint is, as a config of LangGraph says it."""

    thread_id: str
    namespace: str
    checkpoint_id: str
    """Empty for none in particular."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint as it was put, with its pending writes in order."""

    place: Place
    parent_id: str
    """Empty for none."""
    checkpoint: Any
    metadata: Any
    writes: list[tuple[str, str, Any]]
    """Task, channel and value of each."""


@dataclass(frozen=True, slots=True)
class Range:
    """Names of one namespace, from the highest to the lowest, as bounds that the server takes."""

    high: bytes
    low: bytes

    @classmethod
    def of(
        cls, namespace: str, checkpoint_id: str | None = None, before: str | None = None
    ) -> Range:
        """One checkpoint, or those of a namespace below an id, or all."""
        if checkpoint_id:
            return cls.of_name(checkpoint_name(namespace, checkpoint_id))
        first = checkpoint_name(namespace, "")
        end = checkpoint_name(namespace, before) if before else first[:-1] + b"\2"
        return cls(b"(" + end, b"[" + first)

    @classmethod
    def of_name(cls, name: bytes) -> Range:
        """One checkpoint."""
        return cls(b"[" + name, b"[" + name)

    def after(self, name: bytes) -> Range | None:
        """What is left of the range below a name; None if the name is not in it."""
        mine = self.low[1:].partition(b"\1")[0] == name.partition(b"\1")[0]
        return Range(b"(" + name, self.low) if mine else None


@dataclass(frozen=True, slots=True)
class Page:
    """What one read gives: names in order, and everything stored under them or referred to."""

    names: list[bytes]
    fields: dict[bytes, bytes]
    writes: dict[bytes, list[Write]]
    """By the name of the checkpoint."""
    has_more: bool

    @classmethod
    def of(cls, reply: Any) -> Page:
        """The reply of checkpoint_read."""
        more, names, fields, values = reply
        page = cls(names, dict(zip(fields, values, strict=True)), {}, bool(more))
        for name, raw in page.fields.items():
            if name[:1] == b"w":
                page.writes.setdefault(b"c" + name[1:].rsplit(b"\1", 2)[0], []).append(
                    decode_write(name, raw)
                )
        return page

    def metadata(self, serde: Serializer, name: bytes) -> Any:
        """The metadata of a checkpoint."""
        return decode_metadata(serde, Record.decode(self.fields[name]))

    def values(self, serde: Serializer, record: Record, name: bytes) -> dict[str, Any]:
        """The values of those channels of a checkpoint that have one, new objects every time."""
        namespace = unescape(name[1:].partition(b"\1")[0])
        return decode_values(serde, record, namespace, self.fields)

    def stored(self, serde: Serializer, thread_id: str, name: bytes) -> Stored:
        """A checkpoint of the page, made of new objects every time."""
        record = Record.decode(self.fields[name])
        namespace, checkpoint_id = map(unescape, name[1:].split(b"\1"))
        return Stored(
            Place(thread_id, namespace, checkpoint_id),
            record.parent_id,
            decode_checkpoint(serde, record, self.values(serde, record, name)),
            decode_metadata(serde, record),
            [write.decode(serde) for write in sorted(self.writes.get(name, ()))],
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """What is left to list, and what is looked for."""

    threads: tuple[str, ...]
    """The thread that `ranges` are of, then those to be listed after it."""
    ranges: tuple[Range, ...] = ()
    """Empty when the first thread has not been begun."""
    scan: ScanCursor | None = None
    """Where the search for threads goes on; with no nodes if it has not begun."""
    namespace: str | None = None
    """None for all of a thread."""
    checkpoint_id: str | None = None
    before: str | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    left: int | None = None
    """How many checkpoints are still wanted; None for all."""
    seen: set[str] = field(default_factory=set)
    """Threads found so far: a SCAN may find one twice."""

    def after(self, page: Page, found: int) -> Listing | None:
        """The same behind a page that was read, in which `found` were what is looked for."""
        left = None if self.left is None else self.left - found
        if left == 0:
            return None
        rest = list(self.ranges)
        if page.has_more:
            while (below := rest[0].after(page.names[-1])) is None:
                rest.pop(0)
            return replace(self, ranges=(below, *rest[1:]), left=left)
        threads = self.threads[1:]
        if not threads and self.scan is None:
            return None
        return replace(self, threads=threads, ranges=(), left=left)
