"""Tables of a run, for the terminal and the page.

Strategy: pure, and the only place where a figure of a table becomes text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.candidates import CANDIDATES, HISTORIES, SAVERS
from benchmarks.checks import CHECKS, Check, Outcome, evaluate
from benchmarks.results import Results


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows of text."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return Markdown, with the first column to the left and figures to the right."""
        align = ["---"] + ["---:"] * (len(self.headings) - 1)
        lines = [self.headings, align, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def checks(results: Results) -> Table:
    """Show what was required and what was measured."""
    rows = []
    for check in CHECKS:
        outcome = evaluate(check, results)
        verdict = "**missed**" if outcome.verdict == "missed" else outcome.verdict
        rows.append((check.work, _required(check), _measured(outcome), verdict))
    return Table(("work", "required", "measured", "verdict"), rows)


def _required(check: Check) -> str:
    if check.operator == "=":
        return check.unit
    if check.unit == "us":
        return f"{check.operator} {duration(check.limit)}"
    return f"{check.operator} {check.limit:g} {check.unit}"


def _measured(outcome: Outcome) -> str:
    """Return the figure, with the quartiles of its rounds where there are several."""
    figure = outcome.figure
    if figure is None:
        return outcome.reason
    if outcome.check.operator == "=":
        return "yes" if figure.median else "no"
    text: Callable[[float], str] = duration if outcome.check.unit == "us" else "{:.3g}".format
    if figure.count == 1:
        return text(figure.median)
    return f"{text(figure.median)} ({text(figure.first_quartile)} to {text(figure.third_quartile)})"


def duration(microseconds: float) -> str:
    """Return three digits and a unit."""
    if microseconds < 1_000:
        return f"{_three_digits(microseconds)} us"
    return f"{_three_digits(microseconds / 1_000)} ms"


def _three_digits(value: float) -> str:
    return f"{value:,.{max(0, 3 - len(str(int(value))))}f}"


def times(results: Results) -> Table:
    """Show the median of every timing of histories, and its quartiles as a deviation."""
    columns = _columns(HISTORIES, results.get("times", {}))
    return _table("median", columns, _rows(results, "times", columns, _time))


def memory(results: Results) -> Table:
    """Show bytes a message in the server, and where messages do not come back equal."""
    columns = _columns(HISTORIES, results.get("memory", {}))
    return _table("bytes a message", columns, _rows(results, "memory", columns, _message_bytes))


def savers(results: Results) -> Table:
    """Show the cost of an agent's turn and of a thread with each saver."""
    columns = _columns(SAVERS, results.get("times", {}), results.get("memory", {}))
    rows = [
        *_rows(results, "round trips", columns, "{:g}".format, "{}, round trips"),
        *_rows(results, "times", columns, _time),
        *_rows(results, "memory", columns, _kib, "{}, memory"),
    ]
    return _table("an agent", columns, rows)


def conditions(results: Results) -> Table:
    """Show the machine and the versions."""
    about = results["about"]
    rows = [(name, str(about[name])) for name in ("server", "python", "processors", "revision")]
    for name, versions in results["versions"].items():
        text = ", ".join(f"{package} {version}" for package, version in versions.items())
        rows.append((CANDIDATES[name].label, text))
    rows += [(CANDIDATES[name].label, reason) for name, reason in results["absent"].items()]
    return Table(("name", "value"), rows)


def _columns(names: Sequence[str], *sections: Mapping[str, Any]) -> list[str]:
    """Return the candidates among these that have figures."""
    measured = {name for section in sections for each in section.values() for name in each}
    return [name for name in names if name in measured]


def _rows(
    results: Results,
    section: str,
    columns: Sequence[str],
    cell: Callable[[Any], str],
    title: str = "{}",
) -> list[tuple[str, ...]]:
    """Return a row for each measurement of a section that has figures of these candidates."""
    return [
        (title.format(name), *(cell(figures[c]) if c in figures else "" for c in columns))
        for name, figures in results.get(section, {}).items()
        if not set(columns).isdisjoint(figures)
    ]


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table((heading, *(CANDIDATES[name].label for name in columns)), rows)


def _time(figure: Mapping[str, Any]) -> str:
    spread = figure["spread"]
    middle = spread["median"]
    low = (spread["first_quartile"] / middle - 1) * 100
    high = (spread["third_quartile"] / middle - 1) * 100
    return f"{duration(middle)} {low:+.0f} {high:+.0f} %"


def _message_bytes(figure: Mapping[str, Any]) -> str:
    altered = "" if figure["equal"] else " (altered)"
    return f"{figure['bytes'] / figure['messages']:,.0f}{altered}"


def _kib(figure: Mapping[str, Any]) -> str:
    return f"{figure['bytes'] / 1024:,.0f} KiB"


TABLES: dict[str, Callable[[Results], Table]] = {
    "checks": checks,
    "times": times,
    "memory": memory,
    "savers": savers,
    "conditions": conditions,
}
