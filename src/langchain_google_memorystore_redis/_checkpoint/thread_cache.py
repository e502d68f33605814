"""Cache of the contents of threads, with which a turn costs what it adds.

Strategy: a content is known by its field, a hash of its bytes, so it cannot be out of date. `put`
finds the field of a message by its state, without encoding it, and names what is held; a read names
what it holds and makes copies of it. The contents used longest ago are evicted first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cachetools import Cache, LRUCache

from langchain_google_memorystore_redis._checkpoint.contents import CachedContent, State
from langchain_google_memorystore_redis._checkpoint.values import LIST_KINDS, split_fields
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis._redis.sharing import SharesClient
from langchain_google_memorystore_redis.errors import ArgumentTypeError

_RECENT_FIELDS = 64
"""Values of a namespace, after those of a read, that the next read asks about."""

_MAX_DEPTH = 8
"""Lists in lists that are searched: a list of 100,000 elements has four levels."""


class _Contents(LRUCache[tuple[int, bytes], CachedContent]):
    """Contents by serializer and field, and the fields of messages by their state."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, getsizeof=lambda content: content.bytes_held)
        self.field_of: dict[tuple[int, State], tuple[bytes, int]] = {}

    def __setitem__(self, key: tuple[int, bytes], content: CachedContent, *args: Any) -> None:
        # Removed first, so that its bytes are free before others are evicted for the new one.
        self.pop(key, None)
        if content.bytes_held > self.maxsize:
            return
        super().__setitem__(key, content, *args)
        for state in content.states:
            self.field_of[key[0], state] = key[1], content.size

    def __delitem__(self, key: tuple[int, bytes], *args: Any) -> None:
        for state in Cache.__getitem__(self, key).states:
            if self.field_of.get((key[0], state), key)[0] == key[1]:
                self.field_of.pop((key[0], state), None)
        super().__delitem__(key, *args)


class ThreadCache(SharesClient):
    """Cache of the contents of threads, with which a turn of an agent costs what it adds.

    Args:
        max_bytes: limit of its size; the contents used longest ago are evicted first. A message
            takes about 1.5 times what it takes in the server, and 600 bytes.

    A saver has one of its own; give one to several savers to share it. `put` then encodes and sends
    the messages that are new or were edited, and `get_tuple` asks only for what is not held. Each
    caller gets copies and may change them. Contents are known by their hash, so nothing that it
    holds is ever out of date, and the server says what it lacks. Safe to share between threads,
    tasks, clients, prefixes, clusters and serializers.

    Contents stay in the process's memory until they are evicted, even if their thread is deleted:
    `clear` removes them.

    Examples:
        >>> from langchain_google_memorystore_redis import MemorystoreSaver, ThreadCache
        >>> cache = ThreadCache(max_bytes=256 * 1024 * 1024)
        >>> saver = MemorystoreSaver(client, cache=cache)
    """

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._lock = create_lock()
        self._contents = _Contents(positive("max_bytes", max_bytes))

    @property
    def bytes_held(self) -> int:
        """Size of all contents in bytes; no round trip."""
        return int(self._contents.currsize)

    def __len__(self) -> int:
        """Return the number of contents."""
        return len(self._contents)

    def __bool__(self) -> bool:
        """Return True: an empty cache is a cache too."""
        return True

    def clear(self) -> None:
        """Forget all contents.

        Examples:
            >>> from langchain_google_memorystore_redis import ThreadCache
            >>> cache = ThreadCache()
            >>> cache.clear()
            >>> len(cache), cache.bytes_held
            (0, 0)
        """
        with self._lock:
            self._contents = _Contents(int(self._contents.maxsize))


def make_cache(cache: ThreadCache | str | None) -> ThreadCache | None:
    """Return the cache that an argument stands for; a new one for "own"."""
    if cache is None or isinstance(cache, ThreadCache):
        return cache
    if cache != "own":
        raise ArgumentTypeError(
            "cache", f'must be a ThreadCache, None or "own", not {type(cache).__name__}'
        )
    return ThreadCache()


class CachedThread:
    """Cached contents of a namespace of a thread; there are none without a cache.

    Args:
        cache: None for no cache.
        serde: the serializer that made the contents, and decodes them.
        place: name of the namespace among all.
    """

    def __init__(self, cache: ThreadCache | None, serde: Any, place: bytes) -> None:
        self._cache = cache
        self._serde = serde
        self._key = (id(serde), place)

    def find(self, state: State | None) -> tuple[bytes, int] | None:
        """Return the field of a message, and the size of its content; None if it is not known."""
        if self._cache is None:
            return None
        return self._cache._contents.field_of.get((self._key[0], state))  # type: ignore[arg-type]

    def has(self, field: bytes) -> bool:
        """Return whether the content of a field is held."""
        return self._cache is not None and (self._key[0], field) in self._cache._contents

    def recall(self) -> tuple[list[bytes], dict[bytes, CachedContent]]:
        """Return the fields whose contents are held with all that they name, and all contents."""
        recall = _Recall(self._key[0])
        if self._cache is not None:
            with self._cache._lock:
                recall.collect(self._cache._contents, self._cache._contents.get(self._key))
        return recall.complete, recall.found

    def learn(
        self, contents: Mapping[bytes, CachedContent], fields: Iterable[bytes], *, is_all: bool
    ) -> None:
        """Hold contents that are stored, and the fields of the newest values, all or some."""
        if self._cache is None:
            return
        with self._cache._lock:
            held = self._cache._contents
            for field, content in contents.items():
                held[self._key[0], field] = content
            old = held.get(self._key)
            recent = [*dict.fromkeys(fields)]
            if not is_all:
                recent += split_fields(old.content or b"" if old else b"")
                recent = [*dict.fromkeys(recent)][:_RECENT_FIELDS]
            names = b"".join(recent)
            held[self._key] = CachedContent(self._serde, len(names), names)


class _Recall:
    """Search for what the process holds of a thread."""

    def __init__(self, serde_id: int) -> None:
        self._serde_id = serde_id
        self._incomplete: set[bytes] = set()
        self.complete: list[bytes] = []
        """Fields to name, none of which is in a list that is named too."""
        self.found: dict[bytes, CachedContent] = {}

    def collect(self, contents: _Contents, parent: CachedContent | None, depth: int = 0) -> bool:
        """Collect what a list names; return whether all of it is held."""
        held, is_whole = list[bytes](), True
        for field in split_fields((parent and parent.content) or b""):
            if field not in self.found and field not in self._incomplete:
                content = contents.get((self._serde_id, field))
                is_list = field[:1] in LIST_KINDS
                if content is not None:
                    self.found[field] = content
                if content is None or (
                    is_list
                    and (depth == _MAX_DEPTH or not self.collect(contents, content, depth + 1))
                ):
                    self._incomplete.add(field)
                    self.found.pop(field, None)
            if field in self.found:
                held.append(field)
            else:
                is_whole = False
        if depth == 0 or not is_whole:
            self.complete += held
        return is_whole
