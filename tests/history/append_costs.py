"""`python -m tests.history.append_costs [engine]`: server time of an append, in microseconds.

Strategy: INFO commandstats tells the time that the server spent in scripts, without the network.
Each figure is the least of several runs of many appends, since other work on the machine only adds.
"""

from __future__ import annotations

import random
import string
import sys
from collections.abc import Sequence
from typing import Any

import redis
from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.servers.processes import ENGINES, Server

RUNS = 7
_chance = random.Random(1)


def messages(count: int = 1) -> list[HumanMessage]:
    """Messages of 300 bytes. Lua takes far longer for texts that are all alike."""
    letters = string.ascii_lowercase + " " * 5
    return [HumanMessage("".join(_chance.choices(letters, k=235))) for _ in range(count)]


def script_time(
    server: Server, histories: Sequence[MemorystoreChatMessageHistory], runs: int = RUNS
) -> float:
    """Microseconds of an append to each history, the least of the runs."""
    found: list[float] = []
    for _ in range(runs):
        server.cli("CONFIG", "RESETSTAT")
        for history in histories:
            history.add_messages(messages())
        with redis.Redis(port=server.port, protocol=2) as client:
            stats: Any = client.info("commandstats")
        found.append(stats["cmdstat_evalsha"]["usec"] / len(histories))
    return min(found)


def open_one(port: int, name: str, **options: Any) -> MemorystoreChatMessageHistory:
    client = redis.Redis(port=port, protocol=2)
    return MemorystoreChatMessageHistory(client, name, ttl=3600, **options)


Figures = dict[str, float]


def measure_one_writer(server: Server) -> Figures:
    hot = open_one(server.port, "hot")
    hot.add_messages(messages())
    client = redis.Redis(port=server.port, protocol=2)
    many = [MemorystoreChatMessageHistory(client, f"many{n}", ttl=3600) for n in range(3000)]
    for history in many:
        history.add_messages(messages(20))
    full = open_one(server.port, "full", max_messages=10_000)
    for _ in range(10):
        full.add_messages(messages(1_000))
    return {
        "one session": script_time(server, [hot] * 1000),
        "3,000 sessions in turn": script_time(server, many),
        "max_messages=10000, full": script_time(server, [full] * 200),
    }


def measure_strangers(server: Server) -> Figures:
    """Appends by clients that know nothing of the session."""
    long = open_one(server.port, "long", max_messages=10_000)
    for _ in range(10):
        long.add_messages(messages(1_000))
    figures = []
    for _ in range(RUNS):
        strangers = [open_one(server.port, "long") for _ in range(10)]
        for stranger in strangers:
            stranger.count()  # connects
        figures.append(script_time(server, strangers, runs=1))
    return {"first append of a client, 10,000 messages": min(figures)}


def measure_two_writers(server: Server) -> Figures:
    pair = [open_one(server.port, "shared") for _ in range(2)]
    full = [open_one(server.port, "shared and full", max_messages=1_000) for _ in range(2)]
    full[0].add_messages(messages(1_000))
    return {
        "two clients in turn": script_time(server, pair * 250),
        "two clients in turn, max_messages=1000, full": script_time(server, full * 100),
    }


def main() -> None:
    for name in sys.argv[1:] or ["valkey-9.1", "redis-5.0"]:
        with Server(ENGINES[name]) as server:
            for measure in (measure_one_writer, measure_two_writers, measure_strangers):
                for what, figure in measure(server).items():
                    print(f"{name}: {what}: {figure:.1f}", flush=True)


if __name__ == "__main__":
    main()
