"""What `memorystore-chat doctor` looks at.

Strategy: each probe asks the server one thing and judges the answer: green, yellow or red, with
what to do. A probe that may not ask (NOPERM), or that fails in another way, is a finding like any
other and never ends the examination. Judging is pure; only `examine` and the probes ask.
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
from langchain_google_memorystore_redis.cli.judgement import (
    Finding,
    Info,
    count_sessions,
    is_permission,
    judge_eviction,
    judge_memory,
    judge_replicas,
    judge_round_trip,
    judge_version,
    not_known,
)
from langchain_google_memorystore_redis.cli.server import (
    Server,
    ask_primaries,
    explain,
    is_node_of_cluster,
)

T = TypeVar("T")


def examine(server: Server) -> Iterator[Finding]:
    """All findings, each as soon as it is known."""
    with ExitStack() as stack:
        # A cluster client connects when it is made.
        client = _attempt(lambda: stack.enter_context(server.client()))
        if isinstance(client, Exception):
            yield Finding("connection", "red", explain(client))
        else:
            yield from _findings(_Examination(client, server.prefix))


def _findings(examination: _Examination) -> Iterator[Finding]:
    connected = examination.round_trip()
    yield connected
    if connected.level == "red":
        return
    infos = examination.infos()
    if isinstance(infos, Exception):
        yield not_known("server", infos)
    else:
        yield judge_version(infos)
        if is_node_of_cluster(examination.client, infos):
            yield Finding("cluster", "red", "this is one node of a cluster", "Pass --cluster.")
            return
    yield Finding("modules", "green", "none needed: only core commands are used")
    yield examination.scripts()
    yield examination.messages()
    seen = examination.sessions()
    sessions: list[Session] = []
    if isinstance(seen, Exception):
        advice = "list, delete --prefix and export of all sessions need +scan; a chat does not."
        yield not_known("sessions", seen, advice)
    else:
        sessions, are_all = seen
        yield Finding("sessions", "green", count_sessions(sessions, are_all, examination.prefix))
    if isinstance(infos, Exception):
        yield not_known("eviction, memory, replicas", infos)
        return
    yield judge_eviction(infos, sessions)
    yield judge_memory(infos)
    yield judge_replicas(infos)


class _Examination:
    """The probes: all that is asked of the server."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.prefix = prefix
        self._runner = runners_for(client)[0]

    def round_trip(self) -> Finding:
        """Whether the server answers at all, and how fast."""
        # Not PING: cluster clients ask all nodes.
        node = self._runner.run(_primaries())[0]
        echo = Op(("ECHO", "memorystore-chat"), bool, node=node)
        times = []
        for _ in range(21):
            started = time.perf_counter()
            try:
                self._runner.run(echo)
            except Exception as error:  # noqa: BLE001  (judged, whatever it is)
                if not _is_answer(error):
                    return Finding("connection", "red", explain(error))
            times.append((time.perf_counter() - started) * 1000)
        # The first one connects.
        return judge_round_trip(statistics.median(times[1:]), times[0])

    def infos(self) -> list[Info] | Exception:
        """INFO of each primary."""
        return _attempt(lambda: self._runner.run(ask_primaries()))

    def scripts(self) -> Finding:
        """Whether Lua may run."""
        script = Op(("EVAL", "return 1", 1, SessionsOps(self.prefix).key(_probe_id())), int)
        failed = _attempt(lambda: self._runner.run(script))
        if isinstance(failed, Exception):
            advice = "Allow +@scripting (+eval +evalsha): every append is one script."
            return Finding("scripts", "red", explain(failed), advice)
        return Finding("scripts", "green", "Lua may run")

    def messages(self) -> Finding:
        """Whether a message can be stored, read and removed; it expires if the last one fails."""
        session_id = _probe_id()
        history = MemorystoreChatMessageHistory(
            self.client, session_id, ttl=60, key_prefix=self.prefix
        )

        def try_out() -> bool:
            history.add_message(HumanMessage("memorystore-chat doctor was here"))
            stored = len(history.messages) == 1
            history.clear()
            return stored

        outcome = _attempt(try_out)
        if outcome is True:
            return Finding("messages", "green", "one was stored, read and removed")
        problem = explain(outcome) if isinstance(outcome, Exception) else "one was not there"
        advice = f"A chat needs ~{self.prefix}* +@read +@write +@scripting."
        return Finding("messages", "red", problem, advice if is_permission(outcome) else "")

    def sessions(self) -> tuple[list[Session], bool] | Exception:
        """The first sessions that are found, to see whether they expire; whether it is all."""
        return _attempt(lambda: self._runner.run(_some_sessions(SessionsOps(self.prefix))))


def _attempt(body: Callable[[], T]) -> T | Exception:
    try:
        return body()
    except Exception as error:  # noqa: BLE001  (a finding, whatever it is)
        return error


def _is_answer(error: Exception) -> bool:
    """Whether a server said it: then there is a connection, though not a permission."""
    names = {base.__name__ for base in type(error).__mro__}
    return "ResponseError" in names and "ConnectionError" not in names


def _primaries() -> Flow[tuple[str | None, ...]]:
    names: tuple[str | None, ...] = yield PRIMARIES
    return names


def _some_sessions(ops: SessionsOps) -> Flow[tuple[list[Session], bool]]:
    cursor = yield from start_scan()
    found: list[Session] = []
    for _ in range(10):
        page, following = yield from ops.list_page(cursor)
        found += page
        if following is None:
            return found, True
        if len(found) >= 100:
            break
        cursor = following
    return found, False


def _probe_id() -> str:
    return f"doctor-{uuid.uuid4().hex}"
