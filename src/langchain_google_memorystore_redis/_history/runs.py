"""Runs that have begun in this process and not returned.

Strategy: the same input again after a run that raised is its repeat, and after one that returned a
new turn. Agents keep nothing between runs, so the record belongs to the client.
"""

from __future__ import annotations

import time

from langchain_google_memorystore_redis._history.turn import RunState
from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis._redis.registry import ClientRegistry

_MAX_AGE = 600
"""Seconds after which the same input is a new turn, as for appends: for example a message that is
created once and asked every day."""

_MAX_RUNS = 10_000
"""Limit of the runs. Those recorded longest ago are forgotten first."""


class UnfinishedRuns:
    """Unfinished runs of one client, by session and by the last message of their input."""

    def __init__(self) -> None:
        self._lock = create_lock()
        self._runs: dict[tuple[str, str], tuple[str, float]] = {}

    def record(self, key: str, run: RunState) -> None:
        """Record a run that begins in the session with this key, or is about to be stored."""
        if not run["asked"]:
            return
        with self._lock:
            self._runs.pop((key, run["asked"]), None)
            self._runs[key, run["asked"]] = run["last"], time.monotonic()
            if len(self._runs) > _MAX_RUNS:
                del self._runs[next(iter(self._runs))]

    def find(self, key: str, asked: str) -> str | None:
        """Return the id under which an unfinished run stores a question, None without a run."""
        last, recorded_at = self._runs.get((key, asked), ("", 0.0))
        return last if last and time.monotonic() - recorded_at < _MAX_AGE else None

    def forget(self, key: str, run: RunState) -> None:
        """Forget a run that has returned."""
        with self._lock:
            self._runs.pop((key, run["asked"]), None)


RUNS = ClientRegistry(UnfinishedRuns)
"""The unfinished runs of each client."""
