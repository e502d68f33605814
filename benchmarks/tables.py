"""The tables of a run, as rows of text; for the terminal and for the page alike.

Strategy: pure, and the only place where a figure becomes text in a table, so that the page cannot
say other than the terminal did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contestants import CONTESTANTS
from benchmarks.verdicts import MET, MISSED, verdicts

Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows of text."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """For the page: the first column to the left, figures to the right."""
        align = ["---"] + ["---:"] * (len(self.headings) - 1)
        lines = [self.headings, align, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def demands(results: Results) -> Table:
    """What must be shown, what was measured, and the verdict."""
    marks = {MET: "met", MISSED: "**missed**"}
    rows = [
        (v.demand.work, v.demand.text, v.measured, marks.get(v.outcome, "open"))
        for v in verdicts(results)
    ]
    return Table(("work", "required", "measured", "verdict"), rows)


def _names(results: Results, group: dict[str, Any]) -> list[str]:
    seen = {name for each in group.values() for name in each}
    return [name for name in CONTESTANTS if name in seen]


def duration(microseconds: float) -> str:
    """Three figures and a unit."""
    if microseconds < 1_000:
        return f"{_figures(microseconds)} us"
    return f"{_figures(microseconds / 1_000)} ms"


def _figures(value: float) -> str:
    digits = max(0, 2 - len(str(int(value))) + 1) if value >= 1 else 2
    return f"{value:,.{min(digits, 2)}f}"


def times(results: Results) -> Table:
    """The median of every measurement, and the quartiles as a share of it."""
    names = _names(results, results["times"])
    rows = []
    for measurement, found in results["times"].items():
        cells = [_time(found[name]["spread"]) if name in found else "" for name in names]
        rows.append((measurement, *cells))
    return Table(("median", *(CONTESTANTS[name].label for name in names)), rows)


def _time(spread: dict[str, float]) -> str:
    middle = spread["median"]
    low = (spread["first_quartile"] / middle - 1) * 100
    high = (spread["third_quartile"] / middle - 1) * 100
    return f"{duration(middle)} {low:+.0f} {high:+.0f} %"


def memory(results: Results) -> Table:
    """Bytes a message in the server, and who gives the messages back as they were."""
    names = _names(results, results["memory"])
    rows = [
        (
            transcript,
            *(
                f"{found[name]['bytes']:,.0f}{'' if found[name]['equal'] else ' (altered)'}"
                if name in found
                else ""
                for name in names
            ),
        )
        for transcript, found in results["memory"].items()
    ]
    return Table(("bytes a message", *(CONTESTANTS[name].label for name in names)), rows)


def savers(results: Results) -> Table:
    """What a turn of an agent costs with each saver, and a thread after many of them."""
    found = results.get("savers", {"times": {}, "round trips": {}, "memory": {}})
    names = [name for name in CONTESTANTS if name in found["round trips"]]
    trips = [f"{found['round trips'][name]:g}" for name in names]
    sizes = [f"{found['memory'][name]['bytes'] / 1024:,.0f} KiB" for name in names]
    rows = [("round trips of a turn", *trips)] if names else []
    rows += [
        (measurement, *(_time(each[name]["spread"]) for name in names))
        for measurement, each in found["times"].items()
    ]
    rows += [("memory of a thread after 100 turns", *sizes)] if names else []
    return Table(("an agent", *(CONTESTANTS[name].label for name in names)), rows)


def conditions(results: Results) -> Table:
    """Where and with what it was measured."""
    about = results["about"]
    rows = [(name, str(about[name])) for name in ("server", "python", "processors", "revision")]
    rows += [
        (CONTESTANTS[name].label, ", ".join(f"{p} {v}" for p, v in versions.items()))
        for name, versions in results["versions"].items()
    ]
    rows += [(CONTESTANTS[name].label, why) for name, why in results["absent"].items()]
    return Table(("what", "which"), rows)


TABLES = {
    "demands": demands,
    "times": times,
    "memory": memory,
    "savers": savers,
    "conditions": conditions,
}
