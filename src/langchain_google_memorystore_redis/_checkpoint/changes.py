"""Scripts that change a thread.

Strategy: a full server may evict one of a thread's two keys, and half a thread counts as none. A
script that would write to one refuses it (`lua/_whole.lua`), so what is left is removed in a call
of its own: a script that removes a key and writes it again would be cut in between where a cluster
is moving the slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_google_memorystore_redis._checkpoint.keys import ThreadKeys
from langchain_google_memorystore_redis._redis.op import Flow, Op, as_it_is, ask, ignore_reply
from langchain_google_memorystore_redis._redis.scripts import Script

_DELETE = Script(__package__, "delete")


def delete_thread(keys: ThreadKeys) -> Op[None]:
    """Remove a thread."""
    return _DELETE.op(keys, ("all",), ignore_reply)


def change_thread(script: Script, keys: ThreadKeys, args: Sequence[Any]) -> Flow[Any]:
    """Run a script that changes a thread; two more round trips where there is half a thread."""
    while True:
        reply = yield from ask(script.op(keys, args, as_it_is))
        if reply != b"half":
            return reply
        yield from ask(_DELETE.op(keys, ("half",), ignore_reply))
