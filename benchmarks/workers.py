"""Processes of the candidates.

Strategy: a worker answers JSON lines and works only while it is asked, so that one candidate runs
at a time. Nothing here knows what is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import IO, Any, cast

from benchmarks.candidates import ROOT, Candidate, find_python


class WorkerError(Exception):
    """Failure of a candidate's process, or of what it was asked to do."""


class Worker:
    """The process of one candidate, from `with` to its end."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.versions: dict[str, str] = {}
        """Versions of the packages that matter, by name."""
        environment = dict(os.environ)
        if candidate.requirements:
            # A path to this repository's sources would hide the release that is installed there.
            environment.pop("PYTHONPATH", None)
        self._process = subprocess.Popen(  # noqa: S603 - an environment made here
            [find_python(candidate), "-m", "benchmarks.worker", candidate.adapter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def __enter__(self) -> Worker:
        self.versions = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=10)  # closes its input, which ends it
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Send a request and return its answer; raises `WorkerError` where it failed."""
        requests = cast("IO[str]", self._process.stdin)
        requests.write(json.dumps({"verb": verb, **arguments}) + "\n")
        requests.flush()
        return self._answer(verb)

    def _answer(self, verb: str = "start") -> Any:
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            raise WorkerError(f"{self.candidate.name} ended by itself; see its output above")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.candidate.name}, {verb}: {answer['error']}")
        return answer["ok"]
