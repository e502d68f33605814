"""The command line for tests: on real servers, in this process and in one of its own.

Strategy: output is plain unless a test asks for a terminal's, whatever the environment of the run
says.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis.cli.app import app
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

SCRIPT = Path(sys.executable).parent / "memorystore-chat"
PLAIN = {"REDIS_URL": "", "NO_COLOR": "1", "COLUMNS": "100", "TERM": "xterm"}
TERMINAL = {"FORCE_COLOR": "1"}


def run(*args: str, **env: str) -> Result:
    """The command line without options of its own."""
    return CliRunner().invoke(app, args, env={**PLAIN, **env})


class Shell:
    """The command line on one server, under one prefix."""

    def __init__(self, url: str, client: Any, prefix: str) -> None:
        self.client = client
        self.prefix = prefix
        self.options = ["--url", url, "--prefix", prefix]

    def __call__(self, *args: str, stdin: str | None = None, **env: str) -> Result:
        command = [*self.options, *args]
        return CliRunner().invoke(app, command, input=stdin, env={**PLAIN, **env})

    def history(self, session_id: str, **options: Any) -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(
            self.client, session_id, key_prefix=self.prefix, **options
        )


TARGETS = (Target("valkey-9.1"), Target("redis-5.0", protocol=2), Target("redis-7.0", cluster=True))


@pytest.fixture(params=TARGETS, ids=str)
def shell(
    request: pytest.FixtureRequest,
    servers: Servers,
    blocking_clients: dict[Target, Any],
    prefix: str,
) -> Shell:
    target: Target = request.param
    url = f"redis://127.0.0.1:{target.port(servers)}"
    return Shell(url, blocking_clients[target], prefix)


@pytest.fixture
def plain(servers: Servers, blocking_clients: dict[Target, Any], prefix: str) -> Shell:
    url = servers.standalone("valkey-9.1").url
    return Shell(url, blocking_clients[Target("valkey-9.1")], prefix)


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def uncoloured(result: Result) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", result.stdout)


def environment() -> dict[str, str]:
    return {**os.environ, **PLAIN}
