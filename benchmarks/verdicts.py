"""What the figures must show, and whether they do.

Strategy: pure. A demand is a value that knows how to find its figure in the results of a run; a
verdict is a demand with what was found. A demand whose feature the package does not have, or whose
rival did not run, is neither met nor missed and says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.spread import Spread, ratios

Results = dict[str, Any]
MET, MISSED, OPEN = "met", "missed", "open"


class AbsentError(Exception):
    """A contestant that is needed did not take part; the text says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured: a number, with its spread where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """One line of what must be shown."""

    work: str
    against: str
    limit: float
    unit: str
    find: Callable[[Results], Figure]
    at_least: bool = True

    @property
    def text(self) -> str:
        """The demand in words."""
        if self.unit == "yes":
            return self.against
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {self.limit:g}{_spaced(self.unit)} {self.against}".strip()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A demand and what a run has to say to it."""

    demand: Demand
    outcome: str
    figure: Figure | None = None
    reason: str = ""

    @property
    def measured(self) -> str:
        """The figure in words, with the quartiles of its rounds."""
        if self.figure is None:
            return self.reason
        if self.demand.unit == "yes":
            return "yes" if self.figure.value else "no"
        text = f"{self.figure.value:.3g}{_spaced(self.demand.unit)}"
        if self.figure.low is None or self.figure.high is None:
            return text
        return f"{text} ({self.figure.low:.3g} to {self.figure.high:.3g})"


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""


def _rounds(results: Results, measurement: str, contestant: str) -> list[float]:
    if contestant in results["absent"]:
        raise AbsentError(results["absent"][contestant])
    try:
        rounds: list[float] = results["times"][measurement][contestant]["rounds"]
    except KeyError:
        raise AbsentError("not measured in this run") from None
    return rounds


def _figure(spread: Spread) -> Figure:
    return Figure(spread.median, spread.first_quartile, spread.third_quartile)


def _faster(measurement: str, than: str, ours: str = "ours") -> Callable[[Results], Figure]:
    """How many times longer the other takes."""

    def find(results: Results) -> Figure:
        mine = _rounds(results, measurement, ours)
        return _figure(ratios(_rounds(results, measurement, than), mine))

    return find


def _slower(measurement: str, than: str) -> Callable[[Results], Figure]:
    """How many times longer ours takes."""
    return lambda results: _figure(
        ratios(_rounds(results, measurement, "ours"), _rounds(results, measurement, than))
    )


def _with_size(many: str, few: str) -> Callable[[Results], Figure]:
    """How many times longer ours takes on a long session than on a short one."""
    return lambda results: _figure(
        ratios(_rounds(results, many, "ours"), _rounds(results, few, "ours"))
    )


def _best_ours(find: Callable[[str], Callable[[Results], Figure]]) -> Callable[[Results], Figure]:
    """With the cache where the package has one, else as it comes."""
    return lambda results: find("ours" if "cached" in results["absent"] else "cached")(results)


def _memory(transcript: str, contestant: str = "ours") -> Callable[[Results], Figure]:
    """Bytes a message, as a share of release 0.3.0's."""

    def find(results: Results) -> Figure:
        if contestant in results["absent"]:
            raise AbsentError(results["absent"][contestant])
        try:
            sizes = results["memory"][transcript]
        except KeyError:
            raise AbsentError("not measured in this run") from None
        return Figure(sizes[contestant]["bytes"] / sizes["legacy"]["bytes"])

    return find


def _proof(find: Callable[[Results], Any]) -> Callable[[Results], Figure]:
    def wrapped(results: Results) -> Figure:
        try:
            return Figure(float(find(results)))
        except KeyError:
            raise AbsentError("not measured in this run") from None

    return wrapped


def _own(group: str) -> Callable[[Results], Figure]:
    def find(results: Results) -> Figure:
        if "ours" not in results.get(group, {}):
            raise AbsentError("not measured in this run")
        return _figure(Spread(**results[group]["ours"]["spread"]))

    return find


def _copies(results: Results) -> Any:
    copies = results["proofs"]["copies"]
    return all(copies.values())


def _savers(find: Callable[[Results], Figure]) -> Callable[[Results], Figure]:
    """Asks of the savers' part of a run, if there is one."""

    def found(results: Results) -> Figure:
        if "savers" not in results:
            raise AbsentError("not measured in this run")
        return find(results["savers"])

    return found


def _faster_saver(measurement: str) -> Callable[[Results], Figure]:
    """How many times longer the calls of langgraph-checkpoint-aws's saver take."""

    def find(savers: Results) -> Figure:
        found = savers["times"][measurement]
        return _figure(ratios(found["saver-valkey"]["rounds"], found["saver"]["rounds"]))

    return _savers(find)


def _thread(savers: Results) -> Figure:
    sizes = savers["memory"]
    return Figure(sizes["saver"]["bytes"] / sizes["saver-valkey"]["bytes"])


_APPEND = "append a two-message turn with TTL, loopback"
_SLOW = "the same at 1 ms round-trip time"
_READ = "cold read of 1,000 mixed messages"
_AGAIN = "read again after one more turn, 1,000 messages"
_SAVER = "a saver's calls in a turn of a small agent"
_FASTER = "times faster than 0.3.0"
_OF_LEGACY = "of 0.3.0's"
DEMANDS = (
    Demand(_APPEND, "times the floor", 1.2, "", _slower("append", "floor"), at_least=False),
    Demand(_APPEND, _FASTER, 2.2, "", _faster("append", "legacy")),
    Demand(
        _SLOW, "round trip", 1, "", at_least=False,
        find=_proof(lambda results: results["proofs"]["round trips of an append"]),
    ),
    Demand(_SLOW, _FASTER, 3.8, "", _faster("append at 1 ms", "legacy")),
    Demand(
        "append 1,000 messages in one call", _FASTER, 60, "",
        _faster("append 1,000 in one call", "legacy"),
    ),
    Demand(_READ, _FASTER, 4, "", _faster("read 1,000", "legacy")),
    Demand(_READ, "times faster than langchain-redis", 8, "",
           _faster("read 1,000", "langchain-redis")),
    Demand(_READ, "equal messages", 1, "yes",
           _proof(lambda results: results["memory"]["mixed"]["ours"]["equal"])),
    Demand(_AGAIN, f"{_FASTER}, with ReadCache", 15, "",
           _faster("read 1,000 again", "legacy", "cached")),
    Demand(_AGAIN, "every message the caller's own copy", 1, "yes", _proof(_copies)),
    Demand("a RunnableWithMessageHistory turn on 1,000 messages",
           "times less of our and Redis's time than 0.3.0", 8, "",
           _best_ours(lambda ours: _faster("chain turn", "legacy", ours))),
    Demand("last 20 of 100,000", "times last 20 of 100", 1.3, "",
           _with_size("last 20 of 100,000", "last 20 of 100"), at_least=False),
    Demand("append to a session of 100,000", "times to a session of 10", 1.2, "",
           _with_size("append to 100,000", "append to 10"), at_least=False),
    Demand("memory, mixed transcript", _OF_LEGACY, 0.72, "", _memory("mixed"), at_least=False),
    Demand("memory, multilingual", _OF_LEGACY, 0.5, "", _memory("multilingual"), at_least=False),
    Demand("memory, messages of 1 KB, compressed", _OF_LEGACY, 0.35, "",
           _memory("1 KB", "zstd"), at_least=False),
    Demand("memory, messages of 20 KB, compressed", _OF_LEGACY, 0.35, "",
           _memory("20 KB", "zstd"), at_least=False),
    Demand("server time of a two-message append", "", 20, "us", _own("server time"),
           at_least=False),
    Demand("200 asyncio sessions taking turns on one client", "times 0.3.0 in threads", 4, "",
           _best_ours(lambda ours: _faster("turns by 200 at once", "legacy", ours))),
    Demand(_SAVER, "round trips", 6, "",
           _savers(lambda savers: Figure(savers["round trips"]["saver"])), at_least=False),
    Demand(_SAVER, "times faster than ValkeySaver's, loopback", 1, "",
           _faster_saver("saver's calls")),
    Demand(_SAVER, "times faster than ValkeySaver's, 1 ms", 1.8, "",
           _faster_saver("saver's calls at 1 ms")),
    Demand("memory of an agent's thread after 100 turns", "of ValkeySaver's", 0.05, "",
           _savers(_thread), at_least=False),
    Demand("import, over langchain_core.messages and redis", "", 40, "ms", _own("imports"),
           at_least=False),
)  # fmt: skip


def judge(demand: Demand, results: Results) -> Verdict:
    """The verdict on one demand."""
    try:
        figure = demand.find(results)
    except AbsentError as absent:
        return Verdict(demand, OPEN, reason=str(absent))
    good = figure.value >= demand.limit if demand.at_least else figure.value <= demand.limit
    return Verdict(demand, MET if good else MISSED, figure)


def verdicts(results: Results) -> list[Verdict]:
    """On every demand, in order."""
    return [judge(demand, results) for demand in DEMANDS]
