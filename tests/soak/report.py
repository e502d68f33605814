"""The tables a soak prints: one column a leg and pattern, and one a pattern; a line a figure."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence

import redis

from tests.soak.leg import FAULTS, Result
from tests.soak.plan import Writer
from tests.soak.verify import KINDS

WINDOW = 10_000
"""Entries the append script looks through for a writer that never looked at the log."""
_WIDTH = 24
_COLUMN = 12
_MOST_SHOWN = 10

Figure = Callable[[Result], int]


def _figures() -> dict[str, Figure]:
    figures: dict[str, Figure] = {
        "appends": lambda r: len(r.outcomes),
        "acknowledged": lambda r: sum(o.is_acknowledged for o in r.outcomes),
        "calls that raised": lambda r: sum(o.raised for o in r.outcomes),
        "repeated until stored": lambda r: sum(
            o.is_acknowledged and o.raised > 0 for o in r.outcomes
        ),
        "given up": lambda r: sum(not o.is_acknowledged for o in r.outcomes),
        "  of them stored": lambda r: r.given_up_but_stored,
    }
    for kind in KINDS:
        figures[kind] = lambda r, kind=kind: sum(v.kind == kind for v in r.violations)  # type: ignore[misc]
    figures["commands"] = lambda r: r.commands.total()
    figures["faults"] = lambda r: r.injected.total()
    for fault in FAULTS:
        figures[f"  {fault.name}"] = lambda r, name=fault.name: r.injected[name]  # type: ignore[misc]
    return figures


def versions(engine: str, version: str | None) -> str:
    """What was tried, with what."""
    return (
        f"server {engine.rpartition('-')[0]} {version}, redis-py {redis.__version__}, "
        f"Python {platform.python_version()}"
    )


def table(results: Sequence[Result]) -> str:
    """All results side by side."""
    lines = [
        _line("", [result.leg.name.split()[0] for result in results]),
        _line("", [result.leg.name.split()[1] for result in results]),
        _line("", [result.leg.pattern for result in results]),
    ]
    lines += [
        _line(name, [str(figure(result)) for result in results])
        for name, figure in _figures().items()
    ]
    lines += [
        _line("seconds", [f"{result.seconds:.1f}" for result in results]),
        _line("appends a second", [f"{len(r.outcomes) / r.seconds:.0f}" for r in results]),
    ]
    return "\n".join(lines)


def totals(results: Sequence[Result]) -> str:
    """The results of each pattern added up."""
    patterns = list(dict.fromkeys(result.leg.pattern for result in results))
    legs = [[result for result in results if result.leg.pattern == each] for each in patterns]
    lines = [_line("in all", patterns)]
    for name, figure in _figures().items():
        lines.append(_line(name, [str(sum(map(figure, each))) for each in legs]))
    return "\n".join(lines)


def resends(results: Sequence[Result], plan: Sequence[Writer]) -> str:
    """What the append script had to look through, for writers that make a history each time."""
    keeps = {writer.number: writer.keeps_histories for writer in plan}
    lines = []
    for result in results:
        for kept in (False, True):
            found = sorted(d for writer, d in result.resends if keeps[writer] == kept)
            if found:
                what = "kept" if kept else "made for each append"
                lines.append(
                    f"{result.leg.name}, histories {what}: {len(found)} stored batches sent again, "
                    f"entries behind them: median {found[len(found) // 2]}, most {found[-1]}, "
                    f"{sum(d >= WINDOW for d in found)} times {WINDOW} or more"
                )
    return "\n".join(lines)


def errors(results: Sequence[Result]) -> str:
    """What the clients raised, by type, and a traceback of each thing they should not raise."""
    lines, tracebacks = [], {}
    for result in results:
        counted = ", ".join(f"{name} {n}" for name, n in result.errors.most_common())
        who = f"{result.leg.name}, {result.leg.pattern}"
        lines.append(f"{who}: {counted or 'none'}")
        tracebacks.update({f"{who}: {name}": text for name, text in result.unexpected.items()})
    return "\n".join([*lines, *(f"unexpected: {who}\n{text}" for who, text in tracebacks.items())])


def wrong(result: Result) -> str:
    """The first violations of a leg."""
    lines = [f"  {violation}" for violation in result.violations[:_MOST_SHOWN]]
    more = len(result.violations) - len(lines)
    return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:{_WIDTH}}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells)
