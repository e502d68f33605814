"""Steps of several flows at once, so that independent operations share round trips.

Strategy: the flows of this wing yield lists of operations. Those of all flows that are still
running go out as one step, one pipeline a node, and each flow gets its own answers; the first
answer that is an error is raised.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeAlias, TypeVar

from langchain_google_memorystore_redis._redis.op import FanOut, Flow, Op, raised

T = TypeVar("T")

Waves: TypeAlias = Generator[Sequence[Op[Any]], list[Any], T]
"""Flow whose steps are lists of operations, which may be sent with those of others."""

_MAX_OPS = 1_000
"""Operations of one pipeline, so that neither side has to hold more."""


def together(waves: Sequence[Waves[Any]]) -> Flow[list[Any]]:
    """Run flows side by side and return their answers in order."""
    answers: list[Any] = [None] * len(waves)
    replies: dict[int, list[Any] | None] = dict.fromkeys(range(len(waves)))
    while replies:
        wanted: dict[int, Sequence[Op[Any]]] = {}
        for place, reply in replies.items():
            try:
                wanted[place] = next(waves[place]) if reply is None else waves[place].send(reply)
            except StopIteration as end:
                answers[place] = end.value
        found = yield from _send([op for ops in wanted.values() for op in ops])
        replies, start = {}, 0
        for place, ops in wanted.items():
            replies[place] = found[start : start + len(ops)]
            start += len(ops)
    return answers


def _send(ops: Sequence[Op[Any]]) -> Flow[list[Any]]:
    if len(ops) == 1:
        return [(yield ops[0])]
    answers: list[Any] = []
    for start in range(0, len(ops), _MAX_OPS):
        answers += yield FanOut(ops[start : start + _MAX_OPS])
    raised(answers)
    return answers
