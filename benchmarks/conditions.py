"""Conditions of a run: server, machine and revision of the sources."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import Any

import redis

from benchmarks.candidates import ROOT
from benchmarks.transcripts import SEED

_INFO = (
    "redis_version", "valkey_version", "server_name", "redis_mode", "os", "arch_bits",
    "gcc_version", "mem_allocator", "maxmemory_policy", "maxmemory_human", "io_threads_active",
)  # fmt: skip


def describe(client: redis.Redis) -> dict[str, Any]:
    """Return the server and its settings, the machine, and the revision of the sources."""
    info: dict[str, Any] = dict(client.info())
    name, version = "Redis", info["redis_version"]
    if "valkey_version" in info:
        name, version = "Valkey", info["valkey_version"]
    return {
        "server": f"{name} {version}",
        "info": {name: info[name] for name in _INFO if name in info},
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "processors": os.cpu_count(),
        "revision": revision(),
        "seed": SEED,
    }


def revision() -> str:
    """Return the commit, with "+" where the sources have changed since; "unknown" outside git."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "src") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()
