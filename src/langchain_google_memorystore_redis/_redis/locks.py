"""Locks that a child process finds unlocked.

Strategy: the child of a fork has one thread, so a lock that another thread held would stay locked
for ever there. All locks made here are taken before a fork and released on both sides of it, so
that no lock is held and no guarded value is half written when the child begins. They are reentrant,
since a signal handler may fork, or use the package, while its thread holds one.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

Lock: TypeAlias = AbstractContextManager[bool]

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_locks_lock = threading.RLock()
_held: list[Any] = []
"""Locks held during a fork."""


def create_lock() -> Lock:
    """Create a reentrant lock for a short section that takes no other lock and creates none."""
    lock = threading.RLock()
    with _locks_lock:
        _locks.add(lock)
    return lock


def _acquire_all() -> None:
    _locks_lock.acquire()
    for lock in list(_locks):
        lock.acquire()
        _held.append(lock)


def _release_all() -> None:
    while _held:
        _held.pop().release()
    _locks_lock.release()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(
        before=_acquire_all, after_in_parent=_release_all, after_in_child=_release_all
    )
