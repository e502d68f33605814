"""Display of a history in notebooks and, with rich, in terminals.

Strategy: display must never make a cell fail, nor hang on a large session. It reads the newest
messages only, in one round trip, and shows an error as one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from langchain_google_memorystore_redis._codec.decode import time_of
from langchain_google_memorystore_redis._history.operations import HistoryOps, OnCorrupt, Page
from langchain_google_memorystore_redis._history.transcript import (
    Transcript,
    Turn,
    to_html,
    to_rich,
)
from langchain_google_memorystore_redis._redis.runners import BlockingRunner
from langchain_google_memorystore_redis.errors import CorruptEntryError

MAX_MESSAGES_SHOWN = 50


class Display:
    """Mixin that shows a history in IPython and rich."""

    _ops: HistoryOps
    _sync: BlockingRunner

    def _repr_html_(self) -> str:
        """Return the newest messages as HTML for a notebook. One round trip."""
        return to_html(self._transcript())

    def __rich__(self) -> Any:
        """Return the newest messages for rich. One round trip."""
        return to_rich(self._transcript())

    def _transcript(self) -> Transcript:
        try:
            return read_transcript(self._sync, self._ops, MAX_MESSAGES_SHOWN)
        except Exception as error:  # noqa: BLE001  (whatever the client raises is shown)
            return Transcript(self._ops.session_id, problem=f"{type(error).__name__}: {error}")


def read_transcript(runner: BlockingRunner, ops: HistoryOps, limit: int) -> Transcript:
    """Return the last `limit` messages of a session, corrupt elements included."""
    page = runner.run(ops.newest(limit))
    return Transcript(ops.session_id, tuple(turns_of(ops, page)), max(0, page.first))


def turns_of(ops: HistoryOps, page: Page) -> Iterator[Turn]:
    """Yield a turn for each element of a page, corrupt ones included."""
    ops = replace(ops, on_corrupt=OnCorrupt.RAISE_ALWAYS)
    for index, element in enumerate(page.elements, page.first):
        try:
            ((message, _, written_at_ms, _),) = ops.decode_page(Page([element], index))
        except CorruptEntryError as error:
            yield Turn.unreadable(f"index {index}: {error.__cause__}")
        else:
            yield Turn.of(message, time_of(written_at_ms))
