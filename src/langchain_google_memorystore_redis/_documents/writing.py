"""Writes of one call, and what became of each document.

Strategy: documents are sent in pipelines of plain commands, each with an answer of its own. Where
something fails, those are named that are stored, and those of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from langchain_google_memorystore_redis._documents.drafts import Draft
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op
from langchain_google_memorystore_redis.errors import DocumentsNotStoredError


class Writing:
    """Writes of one call."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.sent: list[str] = []
        self.stored: list[str] = []

    def send(
        self, drafts: Sequence[Draft], commands: Sequence[list[tuple[Any, ...]]]
    ) -> Flow[None]:
        """Send the commands of each document in one pipeline a node; raises the first error."""
        self.sent += [draft.id for draft in drafts]
        ops = [Op(command, bool) for each in commands for command in each]
        answers = iter((yield FanOut(ops)))
        failures: list[Exception] = []
        for draft, each in zip(drafts, commands, strict=True):
            errors = [a for a in islice(answers, len(each)) if isinstance(a, Exception)]
            failures += errors
            self.stored += [] if errors else [draft.id]
        if failures:
            raise failures[0]

    def error(self, problem: str, advice: str) -> DocumentsNotStoredError:
        """Return an error that says what is stored."""
        stored = set(self.stored)
        unknown = [each for each in self.sent if each not in stored]
        rest = self.count - len(self.sent)
        return DocumentsNotStoredError(self.stored, unknown, rest, f"{problem}; {advice}")
