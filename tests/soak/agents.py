"""Agents that converse through a faulty network, and what their threads hold afterwards.

`python -m tests.soak.agents [turns] [seed]` runs 5,000 turns and prints what it did.

Strategy: conversations of fifty turns run side by side in asyncio. A turn whose call raised is
taken up again as a program would: go on if the thread has something to do, ask again if it does not
know the question. Afterwards every thread must hold exactly its turns, in checkpoints that are
whole; and where the client tried again by itself, so that nothing raised, as many checkpoints, and
beside each the pending writes to the same channels, as a thread in memory that met no fault.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from langchain_google_memorystore_redis import MemorystoreSaver
from tests.checkpoint.agents import agent_of, asked, expected, transcript
from tests.faults import (
    CUT_AFTER_PARTIAL_REPLY,
    CUT_BEFORE,
    CUT_DURING,
    DROP_REPLY,
    REFUSE,
    Proxy,
)
from tests.servers.processes import ENGINES, Server

FAULTS = (CUT_AFTER_PARTIAL_REPLY, CUT_BEFORE, CUT_DURING, DROP_REPLY, REFUSE)
LOST = (redis.ConnectionError, redis.TimeoutError)
LENGTH = 50
AT_ONCE = 4


@dataclass
class Outcome:
    """What a run has met with."""

    turns: int = 0
    raised: int = 0
    exact: int = 0
    """Conversations in which nothing raised, so that their checkpoints could be counted."""
    faults: int = 0


async def _turn(agent: Any, config: Any, number: int, outcome: Outcome) -> None:
    question: Any = asked(f"echo {number}", number)
    given = question
    while True:
        try:
            if given is None or given is question:
                await agent.ainvoke(given, config)
            outcome.turns += 1
            return
        except LOST:
            outcome.raised += 1
        given = await _what_to_do(agent, config, question, outcome)


async def _what_to_do(agent: Any, config: Any, question: Any, outcome: Outcome) -> Any:
    """None to go on, the question to ask it again, or a word if the turn is complete."""
    while True:
        try:
            state = await agent.aget_state(config)
            break
        except LOST:
            outcome.raised += 1
    if state.tasks:  # not `state.next`, which leaves out tasks that have only to be applied
        return None
    known = {message.id for message in state.values.get("messages", ())}
    return "complete" if question["messages"][0].id in known else question


def _written(found: Sequence[CheckpointTuple]) -> list[list[str]]:
    """The channels written to beside each checkpoint; tasks have other ids in every run."""
    return [sorted(channel for _, channel, _ in each.pending_writes or ()) for each in found]


async def _calm(turns: int) -> list[list[str]]:
    saver, thread = InMemorySaver(), {"configurable": {"thread_id": "calm"}}
    agent = agent_of(saver)
    for number in range(turns):
        await agent.ainvoke(asked(f"echo {number}", number), thread)
    return _written([found async for found in saver.alist(None)])


async def _check(saver: MemorystoreSaver, thread: Any, turns: int, *, exactly: bool) -> None:
    found = [found async for found in saver.alist(thread)]
    said = transcript(found[0].checkpoint["channel_values"]["messages"])
    assert said == expected(*(f"echo {number}" for number in range(turns)))
    if exactly:
        assert _written(found) == await _calm(turns)
    for each in found:
        # Every checkpoint is whole: it has its parent's messages, or more.
        messages = transcript(each.checkpoint["channel_values"].get("messages", ()))
        assert messages == said[: len(messages)]
        assert each.metadata["step"] == -1 or "messages" in each.checkpoint["channel_versions"]


async def converse(
    proxy: Proxy, prefix: str, *, turns: int, rate: float, retries: int, seed: int = 1
) -> Outcome:
    """Run so many turns, and check every thread; raises AssertionError for what is wrong."""
    outcome = Outcome()
    proxy.chaos(rate, seed, FAULTS)
    retry = Retry(NoBackoff(), retries)
    client = redis.asyncio.Redis(port=proxy.port, retry=retry, retry_on_error=list(LOST))
    saver = MemorystoreSaver(client, key_prefix=prefix)
    agent = agent_of(saver)
    lengths = [min(LENGTH, turns - first) for first in range(0, turns, LENGTH)]
    slots = asyncio.Semaphore(AT_ONCE)

    async def conversation(name: int, length: int) -> bool:
        thread = {"configurable": {"thread_id": f"{name}"}}
        own = Outcome()
        async with slots:
            for number in range(length):
                await _turn(agent, thread, number, own)
        outcome.turns += own.turns
        outcome.raised += own.raised
        return own.raised == 0

    calm = await asyncio.gather(*(conversation(*item) for item in enumerate(lengths)))
    proxy.calm()
    for name, length in enumerate(lengths):
        thread = {"configurable": {"thread_id": f"{name}"}}
        await _check(saver, thread, length, exactly=calm[name])
        await saver.adelete_thread(f"{name}")
    outcome.exact = sum(calm)
    outcome.faults = sum(proxy.injected.values())
    await client.aclose()
    return outcome


def main() -> None:
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for retries in (0, 8):
        with Server(ENGINES["valkey-9.1"]) as server, Proxy(server.port) as proxy:
            start = time.monotonic()
            prefix = f"{uuid.uuid4()}:"
            half = converse(proxy, prefix, turns=turns // 2, rate=0.05, retries=retries, seed=seed)
            outcome = asyncio.run(half)
            print(
                f"retries {retries}: {outcome}, {time.monotonic() - start:.0f} s; all there, once"
            )


if __name__ == "__main__":
    main()
