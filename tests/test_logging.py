"""Nothing is said unless a program asks for it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.plugins.clients import Target

NAME = "langchain_google_memorystore_redis"
READS_SOMETHING_ELSE = """
import sys
import redis
from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
client = redis.Redis(port=int(sys.argv[1]), protocol=2)
print(MemorystoreChatMessageHistory(client, sys.argv[2], on_corrupt="skip").messages)
"""


@pytest.mark.parametrize(
    ("set_up", "expected"),
    [
        ("", ""),
        ("import logging; logging.basicConfig()", f"WARNING:{NAME}:skipped a corrupt "),
    ],
    ids=["silent", "logging"],
)
def test_a_program_hears_a_warning_only_if_it_has_set_up_logging(
    blocking_clients: dict[Target, Any], prefix: str, set_up: str, expected: str
) -> None:
    client = blocking_clients[Target("valkey-9.1")]
    client.rpush(f"{prefix}s", "no message")
    port = client.connection_pool.connection_kwargs["port"]
    command = [sys.executable, "-c", set_up + READS_SOMETHING_ELSE, str(port), f"{prefix}s"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr[: len(expected) or None] == expected
