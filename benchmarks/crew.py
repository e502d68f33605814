"""The contestants' processes, and taking turns between them.

Strategy: a worker is a process that answers JSON lines; it works only while it is asked, so one
contestant runs at a time. Nothing here knows what is measured.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from benchmarks.contestants import CONTESTANTS, ROOT, Contestant, python_of


class WorkerError(Exception):
    """A contestant could not do what it was asked."""


class Worker:
    """One contestant's process, from `with` to its end."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.versions: dict[str, str] = {}
        self.not_built: str | None = None
        """The feature that the installed package lacks; then it can do nothing."""
        self._process = subprocess.Popen(  # noqa: S603 - an environment made here
            [python_of(contestant), "-m", "benchmarks.worker", contestant.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> Worker:
        hello = self._answer()
        self.not_built = hello.get("not_built")
        self.versions = hello.get("ok", {})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        if self._process.stdout:
            self._process.stdout.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Have it do one thing; raises `WorkerError` with what it says went wrong."""
        if self._process.stdin is None:
            raise WorkerError(f"{self.contestant.name} has no input")
        self._process.stdin.write(json.dumps({"verb": verb, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise WorkerError(f"{self.contestant.name}, {verb}: {answer['error']}")
        return answer["ok"]

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise WorkerError(f"{self.contestant.name} ended on its own; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Crew:
    """The workers of a run, by name; those that cannot take part are in `absent`, with why."""

    def __init__(self, names: Iterable[str], modules: frozenset[str]) -> None:
        self.workers: dict[str, Worker] = {}
        self.absent: dict[str, str] = {}
        self._names = tuple(names)
        self._modules = modules
        self._stack = ExitStack()

    def __enter__(self) -> Crew:
        for name in self._names:
            contestant = CONTESTANTS[name]
            if not set(contestant.modules) <= self._modules:
                self.absent[name] = "needs RediSearch and RedisJSON: give --url of such a server"
                continue
            worker = self._stack.enter_context(Worker(contestant))
            if worker.not_built:
                self.absent[name] = f"{worker.not_built}: not built yet"
            else:
                self.workers[name] = worker
        return self

    def __exit__(self, *exc: Any) -> None:
        self._stack.__exit__(*exc)

    def ask_all(self, verb: str, **arguments: Any) -> None:
        """The same of everyone, one after the other."""
        for worker in self.workers.values():
            worker.ask(verb, **arguments)
