"""Checks of `memorystore-chat doctor`.

Strategy: each check asks the server one thing and rates the answer. A check that lacks the
permission (NOPERM), or fails otherwise, is a finding like any other and never ends the run.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis._history.history import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import PRIMARIES, Flow, Op
from langchain_google_memorystore_redis._redis.scan import start_scan
from langchain_google_memorystore_redis._sessions.operations import Session, SessionsOps
from langchain_google_memorystore_redis.cli.assessment import (
    Finding,
    Info,
    assess_eviction,
    assess_memory,
    assess_replicas,
    assess_round_trip,
    assess_version,
    count_sessions,
)
from langchain_google_memorystore_redis.cli.errors import (
    explain,
    is_permission_error,
    is_response_error,
)
from langchain_google_memorystore_redis.cli.info import is_cluster_node, read_infos
from langchain_google_memorystore_redis.cli.server import Server

T = TypeVar("T")


def run_checks(server: Server) -> Iterator[Finding]:
    """Yield the findings, each as soon as it is known."""
    with ExitStack() as stack:
        # A cluster client connects when it is created.
        client = _attempt(lambda: stack.enter_context(server.client()))
        if isinstance(client, Exception):
            yield Finding("connection", "red", explain(client))
        else:
            yield from _findings(_Checks(client, server.prefix))


def _findings(checks: _Checks) -> Iterator[Finding]:
    connection = checks.connection()
    yield connection
    if connection.level == "red":
        return
    infos = checks.infos()
    if isinstance(infos, Exception):
        yield _unknown("server", infos)
    else:
        yield assess_version(infos)
        if is_cluster_node(checks.client, infos):
            yield Finding("cluster", "red", "this is one node of a cluster", "Pass --cluster.")
            return
    yield checks.modules()
    yield checks.scripts()
    yield checks.messages()
    result = checks.sessions()
    sessions: list[Session] = []
    if isinstance(result, Exception):
        advice = "list, delete --id-prefix and export of all sessions need +scan; a chat does not."
        yield _unknown("sessions", result, advice)
    else:
        sessions, is_complete = result
        yield Finding("sessions", "green", count_sessions(sessions, is_complete, checks.prefix))
    if isinstance(infos, Exception):
        yield _unknown("eviction, memory, replicas", infos)
        return
    yield assess_eviction(infos, sessions)
    yield assess_memory(infos)
    yield assess_replicas(infos)


class _Checks:
    """Checks that send commands to the server."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.prefix = prefix
        self._runner = runners_for(client)[0]

    def connection(self) -> Finding:
        """Check that the server replies, and how fast."""
        # Not PING, which cluster clients send to all nodes.
        node = self._runner.run(_primaries())[0]
        echo = Op(("ECHO", "memorystore-chat"), bool, node=node)
        times_ms = []
        for _ in range(21):
            started = time.perf_counter()
            try:
                self._runner.run(echo)
            except Exception as error:  # noqa: BLE001  (becomes a finding)
                if not is_response_error(error):
                    return Finding("connection", "red", explain(error))
            times_ms.append((time.perf_counter() - started) * 1000)
        # The first one connects.
        return assess_round_trip(statistics.median(times_ms[1:]), times_ms[0])

    def infos(self) -> list[Info] | Exception:
        """Return the INFO of each primary, or the error."""
        return _attempt(lambda: self._runner.run(read_infos()))

    def modules(self) -> Finding:
        """Check whether there is vector search, which sessions do without."""
        node = self._runner.run(_primaries())[0]
        result = _attempt(lambda: self._runner.run(Op(("FT._LIST",), len, node=node)))
        if isinstance(result, Exception):
            without = "there is no vector search (FT.*), or no right to it: MemorystoreVectorStore"
            return Finding("modules", "green", f"none needed; {without} needs exact=True")
        return Finding("modules", "green", f"none needed; vector search has {result} indexes")

    def scripts(self) -> Finding:
        """Check that Lua scripts are allowed."""
        script = Op(("EVAL", "return 1", 1, SessionsOps(self.prefix).key(_probe_id())), int)
        result = _attempt(lambda: self._runner.run(script))
        if isinstance(result, Exception):
            advice = "Allow +@scripting (+eval +evalsha): every append is a script."
            return Finding("scripts", "red", explain(result), advice)
        return Finding("scripts", "green", "Lua scripts are allowed")

    def messages(self) -> Finding:
        """Check that a message can be stored, read and deleted; it expires if deleting fails."""
        history = MemorystoreChatMessageHistory(
            self.client, _probe_id(), ttl=60, key_prefix=self.prefix
        )

        def probe() -> bool:
            history.add_message(HumanMessage("Stored by memorystore-chat doctor"))
            is_stored = len(history.messages) == 1
            history.clear()
            return is_stored

        result = _attempt(probe)
        if result is True:
            return Finding("messages", "green", "stored, read and deleted one")
        problem = explain(result) if isinstance(result, Exception) else "a stored one was missing"
        advice = f"A chat needs ~{self.prefix}* +@read +@write +@scripting."
        return Finding("messages", "red", problem, advice if is_permission_error(result) else "")

    def sessions(self) -> tuple[list[Session], bool] | Exception:
        """Return the first sessions found, and whether they are all; or the error."""
        return _attempt(lambda: self._runner.run(_first_sessions(SessionsOps(self.prefix))))


def _attempt(call: Callable[[], T]) -> T | Exception:
    try:
        return call()
    except Exception as error:  # noqa: BLE001  (becomes a finding)
        return error


def _unknown(check: str, error: Exception, advice: str = "") -> Finding:
    """Return the finding of a check that failed."""
    if is_permission_error(error):
        advice = advice or "A chat does not need it. To check it, allow +info to this user."
        return Finding(check, "yellow", "no permission to check (NOPERM)", advice)
    return Finding(check, "yellow", " ".join(str(error).split()), advice)


def _primaries() -> Flow[tuple[str | None, ...]]:
    names: tuple[str | None, ...] = yield PRIMARIES
    return names


def _first_sessions(ops: SessionsOps) -> Flow[tuple[list[Session], bool]]:
    """Return 100 or more sessions, or those among the first 10 pages of keys."""
    cursor = yield from start_scan()
    sessions: list[Session] = []
    for _ in range(10):
        page, next_cursor = yield from ops.list_page(cursor)
        sessions += page
        if next_cursor is None:
            return sessions, True
        if len(sessions) >= 100:
            break
        cursor = next_cursor
    return sessions, False


def _probe_id() -> str:
    return f"doctor-{uuid.uuid4().hex}"
