"""Commands that are still on their way when their caller has stopped waiting for them.

Strategy: a worker thread cannot be cancelled, so a cancelled async call may leave one command on
its way. Later commands on the same key wait for its end, and whatever the call had still to send
is not sent. Nothing is recorded for a call that ends before its caller does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from langchain_google_memorystore_redis._redis.locks import create_lock
from langchain_google_memorystore_redis._redis.registry import ClientRegistry


class Abandoned(Exception):  # noqa: N818 - nobody sees it
    """The caller has stopped waiting, so that nothing more is sent for it."""


class LateCommands:
    """Commands of one client that outlive their calls."""

    def __init__(self) -> None:
        self.by_key: dict[bytes, list[Errand]] = {}
        """Abandoned errands with a command on its way; empty as a rule."""
        self.lock = create_lock()

    def wait(self, key: bytes, own: Errand | None) -> None:
        """Wait until no late command on a key is on its way, but for one of `own`."""
        with self.lock:
            errands = [each for each in self.by_key.get(key, ()) if each is not own]
        for errand in errands:
            errand.ended.wait()


class Errand:
    """Commands of one call, one after another, which its caller may abandon."""

    def __init__(self, late: LateCommands) -> None:
        self.ended = threading.Event()
        """Set when the command has ended that was on its way when the caller left."""
        self._late = late
        self._is_abandoned = False
        self._key: bytes | None = None

    @contextmanager
    def sending(self, key: bytes) -> Iterator[None]:
        """Enter a command that is sent in the body; raises `Abandoned` if it must not be."""
        self._late.wait(key, self)
        with self._late.lock:
            if self._is_abandoned:
                raise Abandoned
            self._key = key
        try:
            yield
        finally:
            with self._late.lock:
                self._key = None
                if self._is_abandoned:
                    self._forget(key)
            self.ended.set()

    def abandon(self) -> None:
        """Send nothing more, and let later commands wait for the one that is on its way."""
        with self._late.lock:
            self._is_abandoned = True
            if self._key is not None:
                self._late.by_key.setdefault(self._key, []).append(self)

    def _forget(self, key: bytes) -> None:
        others = [each for each in self._late.by_key.pop(key) if each is not self]
        if others:
            self._late.by_key[key] = others


LATE = ClientRegistry(LateCommands)
"""Late commands of each blocking client."""
