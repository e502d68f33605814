"""Cost of a large store: `python -m tests.store.scale [ITEMS] [NAMESPACES] [--redis-url URL]`.

Strategy: the store grows tenfold from step to step, and after each the same operations are timed,
beside a GET, on namespaces of the same size: their cost must stay flat whatever else the server
holds. Without a URL it starts a Valkey of its own.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import redis
from langgraph.store.base import PutOp

from langchain_google_memorystore_redis import MemorystoreStore
from tests.servers.processes import ENGINES, Server

NS = ("timed", "user")
REPEATS = 300


def milliseconds(call: Callable[[], Any]) -> float:
    """Return the median of many calls."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def measure(client: Any, store: MemorystoreStore) -> dict[str, float]:
    """Return what each operation takes."""
    value = {"text": "x" * 200, "n": 1}
    store.batch([PutOp(NS, f"{n}", {**value, "n": n}) for n in range(100)])
    return {
        "GET": milliseconds(lambda: client.get("no key")),
        "put": milliseconds(lambda: store.put(NS, "1", value)),
        "get": milliseconds(lambda: store.get(NS, "1")),
        "search": milliseconds(lambda: store.search(NS, filter={"n": {"$lt": 5}})),
        "search of 10 namespaces": milliseconds(lambda: store.search(("users", "1000"))),
        "list_namespaces": milliseconds(lambda: store.list_namespaces(prefix=("users", "1000"))),
    }


def fill(store: MemorystoreStore, first: int, items: int, namespaces: int) -> None:
    """Put items with these numbers, each namespace in turn."""
    value = {"text": "x" * 100}
    for start in range(first, items, 1000):
        numbers = range(start, min(start + 1000, items))
        spaces = [n % namespaces for n in numbers]
        store.batch(
            [
                PutOp(("users", f"{1000 + space // 10}", f"{space % 10}"), f"{n}", value)
                for n, space in zip(numbers, spaces, strict=True)
            ]
        )


def report(url: str, items: int, namespaces: int) -> None:
    """Print a line for each size."""
    with redis.Redis.from_url(url) as client:
        store, size, done = MemorystoreStore(client, key_prefix="scale:"), 1000, 0
        while size <= items:
            share = max(10, namespaces * size // items)
            fill(store, done, size, share)
            done = size
            figures = ", ".join(f"{k} {v:.2f} ms" for k, v in measure(client, store).items())
            memory = client.info("memory")["used_memory"] / size
            print(f"{size:>9,} items, {share:>6,} namespaces, {memory:.0f} bytes each: {figures}")
            size *= 10


def main() -> None:
    """Run on a server of its own, or on that of a URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", nargs="?", type=int, default=1_000_000)
    parser.add_argument("namespaces", nargs="?", type=int, default=10_000)
    parser.add_argument("--redis-url")
    args = parser.parse_args()
    if args.redis_url:
        report(args.redis_url, args.items, args.namespaces)
        return
    with Server(ENGINES["valkey-9.1"]) as server:
        report(server.url, args.items, args.namespaces)


if __name__ == "__main__":
    main()
