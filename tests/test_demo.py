"""`make demo`, as its reader sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.plugins.servers import Servers
from tests.servers.processes import wait_until

pytestmark = pytest.mark.process


def run_demo(**env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "langchain_google_memorystore_redis.demo"]
    clean = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    return subprocess.run(
        command, env={**clean, **env}, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_demo_runs_on_an_embedded_server_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run_demo(TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Connected to an embedded Valkey." in done.stdout
    assert "['human: hi', 'ai: Hello! How can I help?']" in done.stdout
    assert '→ weather(city="Zurich")' in done.stdout
    assert "You said: I am Ada. / What's the weather in Zurich?" in done.stdout
    assert "ada: 10 messages: human ai human ai tool ai human ai human ai" in done.stdout
    assert "\033" not in done.stdout
    wait_until(lambda: list(tmp_path.iterdir()) == [], "the server to end")


def test_the_demo_uses_the_server_of_redis_url_and_only_its_own_keys(servers: Servers) -> None:
    url = servers.standalone("redis-7.0").url
    with redis.Redis.from_url(url, protocol=2) as client:
        before = set(client.scan_iter("demo:*"))
        done = run_demo(REDIS_URL=url)
        assert (done.returncode, done.stderr) == (0, "")
        assert "the server of REDIS_URL" in done.stdout
        assert set(client.scan_iter("demo:*")) == before


def test_the_demo_says_in_a_line_that_the_server_is_away() -> None:
    done = run_demo(REDIS_URL="redis://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("demo: ")
    assert done.stderr.count("\n") == 1
