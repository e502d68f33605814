"""Carries out a plan: threads with a blocking client, or tasks with an asyncio one.

Strategy: whether a batch is tried again is a tally's decision, so the two ways of waiting are four
lines each. Whatever an append raises is entered and is no crash: what a client raises under faults
is one of the findings.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import redis
from redis.exceptions import RedisClusterException

from langchain_google_memorystore_redis import NotReplicatedError
from tests.soak.patterns import Pattern
from tests.soak.plan import Batch, Writer
from tests.soak.verify import Outcome

_MOST_TRIES = 100  # at a fault rate of 5 % three in a row are rare; without end it would hang
_EXPECTED = (redis.RedisError, RedisClusterException, OSError, NotReplicatedError)


@dataclass(slots=True)
class Tally:
    """What one writer was told; `errors` by type, and a traceback of each unexpected one."""

    outcomes: list[Outcome] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    unexpected: dict[str, str] = field(default_factory=dict)
    _raised: int = 0

    def wants(self, batch: Batch) -> bool:
        """Whether the batch is to be sent, again or for the first time."""
        if self.outcomes and self.outcomes[-1].batch is batch:
            self._raised = 0
            return False
        if self._raised >= _MOST_TRIES:
            raise RuntimeError(f"{batch} raised {_MOST_TRIES} times in a row: {self.errors}")
        return True

    def acknowledge(self, batch: Batch) -> None:
        self.outcomes.append(Outcome(batch, is_acknowledged=True, raised=self._raised))

    def refuse(self, batch: Batch, error: BaseException) -> None:
        """The append raised, so its outcome is unknown."""
        name = type(error).__name__
        self._raised += 1
        self.errors[name] += 1
        if isinstance(error, Exception) and not isinstance(error, _EXPECTED):
            self.unexpected.setdefault(str(error), "".join(traceback.format_exception(error)))
        if batch.is_given_up:
            self.outcomes.append(Outcome(batch, is_acknowledged=False, raised=self._raised))


Work = Sequence[tuple[Writer, Pattern]]
Key = Callable[[str], str]


def write_in_threads(work: Work, key: Key) -> list[Tally]:
    """Let each writer append in a thread of its own; returns when all are done."""

    def write(writer: Writer, pattern: Pattern) -> Tally:
        tally = Tally()
        for batch in writer.batches:
            messages = batch.messages()
            while tally.wants(batch):
                try:
                    pattern.append(key(batch.session), messages)
                except Exception as error:  # noqa: BLE001  (counted, whatever it is)
                    tally.refuse(batch, error)
                else:
                    tally.acknowledge(batch)
        return tally

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(lambda each: write(*each), work))


async def write_in_tasks(work: Work, key: Key) -> list[Tally]:
    """Let each writer append in a task of its own; returns when all are done."""

    async def write(writer: Writer, pattern: Pattern) -> Tally:
        tally = Tally()
        for batch in writer.batches:
            messages = batch.messages()
            while tally.wants(batch):
                try:
                    await pattern.aappend(key(batch.session), messages)
                except Exception as error:  # noqa: BLE001  (counted, whatever it is)
                    tally.refuse(batch, error)
                else:
                    tally.acknowledge(batch)
        return tally

    return list(await asyncio.gather(*(write(*each) for each in work)))
