"""Pages of a transcript for `show`, with `--follow` also those that are written meanwhile.

Strategy: pages hold elements, not yet decoded, so that one that is no message can be shown as such.
Following polls the end of the list, one small round trip each time, because Memorystore has
keyspace notifications switched off. Where a session was truncated, as regenerating an answer does,
following continues after the last element that was shown.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator

from langchain_google_memorystore_redis._history.operations import (
    ELEMENTS_PER_PAGE,
    Cursor,
    HistoryOps,
    Page,
)
from langchain_google_memorystore_redis._redis.runners import BlockingRunner
from langchain_google_memorystore_redis.errors import HistoryChangedError

POLL_INTERVAL = 0.5
"""Seconds between two reads of the end of a followed session."""

_FOLLOW_LAST = 10
"""Messages shown before the new ones, by default."""


def read_pages(
    runner: BlockingRunner, ops: HistoryOps, last: int | None, follow: bool
) -> Iterator[Page | None]:
    """Yield the pages to print; None where a followed session was truncated or cleared."""
    if follow:
        last = _FOLLOW_LAST if last is None else last
        yield from _follow(runner, ops, last, lambda: time.sleep(POLL_INTERVAL))
    elif last is not None and last <= ELEMENTS_PER_PAGE:
        yield runner.run(ops.newest(last)) if last else Page([], 0)
    else:
        cursor = Cursor.of_slice(None if last is None else -last, None)
        while cursor is not None:
            page, cursor = runner.run(ops.page(cursor))
            yield page


def _follow(
    runner: BlockingRunner, ops: HistoryOps, last: int, wait: Callable[[], None]
) -> Iterator[Page | None]:
    """Yield the last entries, then each page of new ones; None after a truncate or clear."""
    page = runner.run(ops.newest(last)) if last else Page([], runner.run(ops.count()))
    # Bounds the memory. After a truncate that leaves none of these, older entries show again.
    shown_hashes = deque(map(hash, page.elements), ELEMENTS_PER_PAGE)
    yield page
    cursor = Cursor(page.first + len(page.elements))
    if page.elements:
        cursor = Cursor(cursor.start - 1, -1, page.elements[-1])
    while True:
        wait()
        try:
            page, _ = runner.run(ops.page(cursor))
            # The page begins with the element that was last.
            new = page.elements[cursor.expected is not None :]
        except HistoryChangedError:
            yield None
            page = runner.run(ops.newest(ELEMENTS_PER_PAGE))
            new = _after_last_shown(shown_hashes, page.elements)
        shown_hashes.extend(map(hash, new))
        if new:
            yield Page(new, page.first + len(page.elements) - len(new))
        if page.elements:
            cursor = Cursor(page.first + len(page.elements) - 1, -1, page.elements[-1])
        elif cursor.expected is not None:
            cursor = Cursor()


def _after_last_shown(shown_hashes: Collection[int], elements: list[bytes]) -> list[bytes]:
    hashes = set(shown_hashes)
    start = len(elements)
    while start and hash(elements[start - 1]) not in hashes:
        start -= 1
    return elements[start:]
