"""Which processor does whose work.

Strategy: left alone, the scheduler puts client and server on one processor or on two, and changes
its mind; a round trip then takes 65 or 120 us, which is more than what is compared. So the server
and the slow link to it have the last processor, and everything that is started later the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def keep_apart(*servers: int) -> bool:
    """Whether the processes of these ids now have a processor to themselves."""
    if not hasattr(os, "sched_setaffinity"):  # Linux alone has it
        return False
    processors = os.sched_getaffinity(0)
    if len(processors) < 2:
        return False
    own = max(processors)
    for server in servers:
        for thread in Path(f"/proc/{server}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {own})
    os.sched_setaffinity(0, processors - {own})
    return True


@contextmanager
def everywhere() -> Iterator[None]:
    """Let this thread, and those it starts, use all processors meanwhile."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
