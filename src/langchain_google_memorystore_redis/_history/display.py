"""How a history shows itself in a notebook and in a terminal with rich.

Strategy: showing must never be the reason that a cell fails or hangs on a large session: it reads
the newest messages only, in one round trip, and an error is one line of what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from langchain_google_memorystore_redis._codec.decode import time_of
from langchain_google_memorystore_redis._history.operations import HistoryOps, Page
from langchain_google_memorystore_redis._history.transcript import (
    Transcript,
    Turn,
    to_html,
    to_rich,
)
from langchain_google_memorystore_redis._redis.runners import BlockingRunner
from langchain_google_memorystore_redis.errors import CorruptEntryError

MOST = 50
"""Messages that are shown at the most."""


class Display:
    """What IPython and rich ask an object for."""

    _ops: HistoryOps
    _sync: BlockingRunner

    def _repr_html_(self) -> str:
        """The newest messages as a notebook shows them. One round trip."""
        return to_html(self._newest())

    def __rich__(self) -> Any:
        """The newest messages as rich prints them. One round trip."""
        return to_rich(self._newest())

    def _newest(self) -> Transcript:
        try:
            return newest(self._sync, self._ops, MOST)
        except Exception as error:  # noqa: BLE001  (whatever the client raises: shown, not lost)
            return Transcript(self._ops.session_id, problem=f"{type(error).__name__}: {error}")


def newest(runner: BlockingRunner, ops: HistoryOps, most: int) -> Transcript:
    """The last `most` messages of a session; unreadable elements have a turn too."""
    page = runner.run(ops.newest(most))
    return Transcript(ops.session_id, tuple(turns_of(ops, page)), max(0, page.first))


def turns_of(ops: HistoryOps, page: Page) -> Iterator[Turn]:
    """The turns of a page of elements."""
    ops = replace(ops, skip_corrupt=None)
    for index, element in enumerate(page.elements, page.first):
        try:
            ((message, _, at),) = ops.decode_page(Page([element], index))
        except CorruptEntryError as error:
            yield Turn.unreadable(f"index {index}: {error.__cause__}")
        else:
            yield Turn.of(message, time_of(at))
