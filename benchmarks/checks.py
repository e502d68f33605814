"""Requirements on the figures, and whether a run meets them.

Strategy: `CHECKS` is data; a figure is named by its path in the results. Against a baseline, "at
most" is the candidate's figure divided by the baseline's, and "at least" the other way round: how
many times better. A check whose figures are not there is open, and says why.
"""

from __future__ import annotations

import operator
from typing import Any, Literal, NamedTuple

from benchmarks.results import Results
from benchmarks.spread import Spread, ratios


class Check(NamedTuple):
    """Row of the table."""

    work: str
    candidate: str
    """Path of the candidate's figure: section, measurement, candidate."""
    baseline: str
    """Path of the figure it is compared with; empty where the figure itself is checked."""
    operator: Literal["≥", "≤", "="]
    limit: float
    unit: str


_APPEND = "append a two-message turn with a TTL"
_APPEND_SLOW = "append a two-message turn with a TTL, 1 ms"
_READ = "read 1,000 mixed messages"
_AGAIN = "read 1,000 messages again after a turn, with ReadCache"
_CALLS = "a saver's calls in a turn of a small agent"
_FASTER = "times faster than 0.3.0"
_OF_LEGACY = "times that of 0.3.0"
CHECKS = (
    Check(_APPEND, "times/append/ours", "times/append/redis-py", "≤", 1.2, "times redis-py alone"),
    Check(_APPEND, "times/append/ours", "times/append/legacy", "≥", 2.2, _FASTER),
    Check(_APPEND_SLOW, "round trips/append/ours", "", "≤", 1, "round trip"),
    Check(_APPEND_SLOW, "times/append at 1 ms/ours", "times/append at 1 ms/legacy", "≥", 3.8,
          _FASTER),
    Check("append 1,000 messages in one call", "times/append 1,000 in one call/ours",
          "times/append 1,000 in one call/legacy", "≥", 60, _FASTER),
    Check(_READ, "times/read 1,000/ours", "times/read 1,000/legacy", "≥", 4, _FASTER),
    Check(_READ, "times/read 1,000/ours", "times/read 1,000/langchain-redis", "≥", 8,
          "times faster than langchain-redis"),
    Check(_READ, "memory/mixed/ours/equal", "", "=", True, "equal messages"),
    Check(_AGAIN, "times/read 1,000 again/cached", "times/read 1,000 again/legacy", "≥", 15,
          _FASTER),
    Check(_AGAIN, "copies/read/cached", "", "=", True, "messages are the caller's own copies"),
    Check("history calls of a RunnableWithMessageHistory turn, 1,000 messages, with ReadCache",
          "times/chain turn/cached", "times/chain turn/legacy", "≥", 8, _FASTER),
    Check("last 20 of 100,000", "times/last 20 of 100,000/ours", "times/last 20 of 100/ours",
          "≤", 1.3, "times last 20 of 100"),
    Check("append to a session of 100,000", "times/append to 100,000/ours",
          "times/append to 10/ours", "≤", 1.2, "times append to one of 10"),
    Check("memory, mixed transcript", "memory/mixed/ours/bytes", "memory/mixed/legacy/bytes",
          "≤", 0.72, _OF_LEGACY),
    Check("memory, multilingual", "memory/multilingual/ours/bytes",
          "memory/multilingual/legacy/bytes", "≤", 0.5, _OF_LEGACY),
    Check("memory, messages of 1 KB, compressed", "memory/1 KB/zstd/bytes",
          "memory/1 KB/legacy/bytes", "≤", 0.35, _OF_LEGACY),
    Check("memory, messages of 20 KB, compressed", "memory/20 KB/zstd/bytes",
          "memory/20 KB/legacy/bytes", "≤", 0.35, _OF_LEGACY),
    Check("server time of a two-message append", "server time/append/ours", "", "≤", 20, "us"),
    Check("200 asyncio sessions taking turns on one client, with ReadCache",
          "times/turns by 200 at once/cached", "times/turns by 200 at once/legacy", "≥", 4,
          "times faster than 0.3.0 in threads"),
    Check(_CALLS, "round trips/agent turn/saver", "", "≤", 6, "round trips"),
    Check(_CALLS, "times/saver's calls/saver", "times/saver's calls/saver-valkey", "≥", 1,
          "times faster than ValkeySaver's"),
    Check(f"{_CALLS}, 1 ms", "times/saver's calls at 1 ms/saver",
          "times/saver's calls at 1 ms/saver-valkey", "≥", 1.8, "times faster than ValkeySaver's"),
    Check("memory of an agent's thread after 100 turns", "memory/thread of 100 turns/saver/bytes",
          "memory/thread of 100 turns/saver-valkey/bytes", "≤", 0.05, "times that of ValkeySaver"),
    Check("import, beyond langchain_core.messages and redis", "import time/package/ours", "",
          "≤", 40_000, "us"),
)  # fmt: skip

_IS_MET = {"≥": operator.ge, "≤": operator.le, "=": operator.eq}


class Outcome(NamedTuple):
    """Answer of a run to a check."""

    check: Check
    verdict: Literal["met", "missed", "open"]
    figure: Spread | None = None
    reason: str = ""
    """Explanation of an open check."""


def evaluate(check: Check, results: Results) -> Outcome:
    """Compare the figures of a run with a check."""
    try:
        rounds = _find_rounds(check.candidate, results)
        baseline = _find_rounds(check.baseline, results) if check.baseline else []
    except LookupError as missing:
        return Outcome(check, "open", reason=str(missing))
    if not baseline:
        figure = Spread.of(rounds)
    elif check.operator == "≥":
        figure = ratios(baseline, rounds)
    else:
        figure = ratios(rounds, baseline)
    is_met = _IS_MET[check.operator](figure.median, check.limit)
    return Outcome(check, "met" if is_met else "missed", figure)


def _find_rounds(path: str, results: Results) -> list[float]:
    """Return the figures of a path, one a round; raises LookupError where there are none."""
    found: Any = results
    for name in path.split("/"):
        if name in results["absent"]:
            raise LookupError(results["absent"][name])
        if name not in found:
            raise LookupError("not measured in this run")
        found = found[name]
    rounds: list[float] = found["rounds"] if isinstance(found, dict) else [float(found)]
    return rounds
