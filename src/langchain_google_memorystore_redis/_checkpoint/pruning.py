"""Pruning of a thread, in calls of bounded work after each of which the thread is whole.

Strategy: prune.lua removes checkpoints, then a sweep removes the values to which no record refers:
`_mark` reads what the records refer to, `_sweep` goes through all fields and removes the others.

The invariant: whatever a stored record refers to is stored, with all that it names. While no sweep
has removed anything since the last one came to its end, the same holds for every value that is
stored, and a `put` may name it. Otherwise nothing else may be relied on: a `put` sends its new
values even if they seem to be there. The others it takes from the record of its parent, on the
server. While a sweep runs, the thread bears its name, and so
does every value that is stored. So a value is removed only if all of this holds in the call that
removes it: the thread still bears the name, the value does not, and no record referred to it when
the sweep looked. Whatever removes or replaces a record takes the name off the thread, because a
record that was made from that one may have been stored where the sweep had looked already.
"""

from __future__ import annotations

import secrets
from typing import Any

from langchain_google_memorystore_redis._checkpoint.changes import change_thread
from langchain_google_memorystore_redis._checkpoint.keys import ThreadKeys
from langchain_google_memorystore_redis._checkpoint.values import from_stored, split_fields
from langchain_google_memorystore_redis._redis.op import Flow, ask
from langchain_google_memorystore_redis._redis.scripts import Script

NAMES_PER_CALL = 500
"""Checkpoints, writes or values that a call looks at or removes at the most."""

BYTES_PER_CALL = 1_000_000
"""Size of what a call looks at, however few that are."""

_TRIES = 3
"""Sweeps that are begun before the values are left to the next prune."""

_FIRST_NAME = b"[c"
"""Lower bound of the names of checkpoints."""

_PRUNE_BEGIN = ("_whole", "_records", "_garbage", "_remove")
_PRUNE = Script(__package__, "prune", begin=_PRUNE_BEGIN)
_MARK = Script(__package__, "mark", begin=("_records",))
_SWEEP = Script(__package__, "sweep")


def prune_thread(keys: ThreadKeys) -> Flow[None]:
    """Remove all but the newest checkpoint of each namespace and what it needs."""
    start, may_have_garbage = _FIRST_NAME, False
    while start:
        args = (start, NAMES_PER_CALL, BYTES_PER_CALL)
        start, may_have_garbage = yield from change_thread(_PRUNE, keys, args)
    if may_have_garbage:
        yield from _free_values(keys)


def _free_values(keys: ThreadKeys) -> Flow[None]:
    """Remove the values of a thread to which no checkpoint refers.

    Begins again, a few times, if a checkpoint is removed or replaced meanwhile or another client
    begins a sweep; the rest is left to that one, or to the next prune.
    """
    for _ in range(_TRIES):
        sweep = secrets.token_hex(8).encode()
        needed = yield from _mark(keys, sweep)
        if needed is None or (yield from _sweep(keys, sweep, needed)):
            return


def _mark(keys: ThreadKeys, sweep: bytes) -> Flow[set[bytes] | None]:
    """Begin a sweep and return the fields that records refer to; None if there are no records."""
    needed: set[bytes] = set()
    unread, read = set[bytes](), set[bytes]()
    start, is_first = _FIRST_NAME, True
    while is_first or start or unread:
        wanted = [unread.pop() for _ in range(min(len(unread), NAMES_PER_CALL))]
        args = (sweep, int(is_first), start, NAMES_PER_CALL, BYTES_PER_CALL, *wanted)
        reply = yield from ask(_MARK.op(keys, args, _reply))
        if reply is None:
            return None if is_first else needed
        is_first, (start, named, lists) = False, reply
        contents = dict(zip(lists[::2], lists[1::2], strict=True))
        read |= contents.keys()
        found = set(named).union(wanted)
        found.update(*(split_fields(from_stored(raw)) for raw in contents.values()))
        needed |= found
        unread |= {field for field in found if field[:1] == b"l"} - read
    return needed


def _sweep(keys: ThreadKeys, sweep: bytes, needed: set[bytes]) -> Flow[bool]:
    """Remove the fields that are not needed; return False if the sweep was over before its end."""
    unneeded: list[bytes] = []
    cursor = b"0"
    while True:
        is_last = not cursor and len(unneeded) <= NAMES_PER_CALL
        asked = (sweep, b"last" if is_last else cursor, NAMES_PER_CALL, BYTES_PER_CALL)
        op = _SWEEP.op(keys, (*asked, *unneeded[:NAMES_PER_CALL]), _reply)
        reply = yield from ask(op)
        if reply is None:
            return False
        count, following, found = reply
        if is_last and count == len(unneeded):
            return True
        cursor = b"" if is_last else following
        unneeded = unneeded[count:] + [field for field in found if field not in needed]


def _reply(reply: Any) -> Any:
    return reply or None
