"""Placement of processes on processors.

Strategy: the scheduler moves client and server between one processor and two, and a round trip
then takes 65 or 120 us, a greater difference than the candidates have. So the server and the slow
link to it get the last processor, and all that is started later the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def separate(*servers: int) -> bool:
    """Give the processes of these ids a processor of their own; False where that can't be done."""
    if not hasattr(os, "sched_setaffinity"):  # Linux only
        return False
    processors = os.sched_getaffinity(0)
    if len(processors) < 2:
        return False
    last = max(processors)
    for server in servers:
        for thread in Path(f"/proc/{server}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {last})
    os.sched_setaffinity(0, processors - {last})
    return True


@contextmanager
def all_processors() -> Iterator[None]:
    """Let this thread, and those it starts, use all processors inside the block."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
