"""`show`: a session page by page, and as it grows.

Strategy: pages of elements, not yet decoded, so that one that is no message can be shown as such.
To follow, the end of the list is asked for again and again, one small round trip each, from the
element that was last. It needs nothing switched on at the server (keyspace notifications are not,
in Memorystore). A session that is cut, which is how an answer is made again, is followed on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator

from langchain_google_memorystore_redis._history.operations import PAGE, Cursor, HistoryOps, Page
from langchain_google_memorystore_redis._redis.runners import BlockingRunner
from langchain_google_memorystore_redis.errors import HistoryChangedError

EVERY = 0.5
"""Seconds between two looks at the end of a session that is followed."""


def read(
    runner: BlockingRunner, ops: HistoryOps, last: int | None, follows: bool
) -> Iterator[Page | None]:
    """The pages that `show` prints."""
    if follows:
        yield from follow(runner, ops, 10 if last is None else last, lambda: time.sleep(EVERY))
    elif last is not None and last <= PAGE:
        yield runner.run(ops.newest(last)) if last else Page([], 0)
    else:
        cursor = Cursor.of_slice(None if last is None else -last, None)
        while cursor is not None:
            page, cursor = runner.run(ops.page(cursor))
            yield page


def follow(
    runner: BlockingRunner, ops: HistoryOps, last: int, wait: Callable[[], None]
) -> Iterator[Page | None]:
    """The last entries, then each page of new ones; None where someone cut the session."""
    page = runner.run(ops.newest(last)) if last else Page([], runner.run(ops.count()))
    # What may be left at the end of a session that was cut; a deeper cut shows older ones again.
    shown = deque(map(hash, page.elements), PAGE)
    yield page
    cursor = Cursor(page.first + len(page.elements))
    if page.elements:
        cursor = Cursor(cursor.start - 1, -1, page.elements[-1])
    while True:
        wait()
        try:
            page, _ = runner.run(ops.page(cursor))
            # The element that was last is the first of the page.
            fresh = page.elements[cursor.expected is not None :]
        except HistoryChangedError:
            yield None
            page = runner.run(ops.newest(PAGE))
            fresh = _after_the_last(shown, page.elements)
        shown.extend(map(hash, fresh))
        if fresh:
            yield Page(fresh, page.first + len(page.elements) - len(fresh))
        if page.elements:
            cursor = Cursor(page.first + len(page.elements) - 1, -1, page.elements[-1])
        elif cursor.expected is not None:
            cursor = Cursor()


def _after_the_last(shown: Collection[int], elements: list[bytes]) -> list[bytes]:
    hashes = set(shown)
    start = len(elements)
    while start and hash(elements[start - 1]) not in hashes:
        start -= 1
    return elements[start:]
