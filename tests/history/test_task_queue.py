"""A task queue delivers at least once: a worker that dies before it acknowledges a turn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import celery
import pytest
import redis

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from tests.plugins.servers import Servers
from tests.servers.processes import Server, wait_until

PATIENCE = 60
"""Seconds; a worker looks every ten for what was not acknowledged."""


@contextmanager
def worker(server: Server, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in a process of its own, which is killed with SIGKILL at the end."""
    command = [sys.executable, "-m", "celery", "-A", "tests.history.queue_worker", "worker"]
    options = ["--pool", "solo", "--without-gossip", "--without-mingle", "--hostname", name]
    environment = {**os.environ, "QUEUE_URL": server.url}
    with (server.folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *options], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("has_key", [True, False], ids=["key", "no key"])
def test_a_turn_is_stored_once_though_its_worker_is_killed_before_the_acknowledgement(
    servers: Servers, has_key: bool
) -> None:
    with (
        Server(servers.engine("redis-7.0")) as server,
        redis.Redis.from_url(server.url, decode_responses=True) as client,
    ):
        with celery.Celery(broker=server.url) as producer:
            task = producer.send_task("answer", ["session", "question", has_key]).id
        history = MemorystoreChatMessageHistory(client, "session")
        with worker(server, "first"):
            wait_until(lambda: client.llen("handled") == 1, "the first handler", PATIENCE)
            assert client.hlen("unacked") == 1
            first = history.messages
        with worker(server, "second"):
            wait_until(lambda: client.llen("handled") == 2, "the second handler", PATIENCE)
            wait_until(lambda: client.hlen("unacked") == 0, "the acknowledgement", PATIENCE)
        assert client.lrange("handled", 0, -1) == [task, task]
        if has_key:
            assert history.messages == first
            assert [entry.message for entry in history.find_batch(task)] == first
        else:  # so the key is what stores it once
            assert history.count() == 4
