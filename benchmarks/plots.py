"""Plots of docs/performance.md.

Strategy: pure drawing from the results of a run, as PNG and as SVG. Axes are logarithmic where
figures span decades, and begin at zero everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from benchmarks.candidates import CANDIDATES, HISTORIES
from benchmarks.measurements import (
    CONCURRENCIES,
    LENGTHS,
    LOOPBACK,
    SLOW,
    concurrency_name,
    turn_name,
)
from benchmarks.results import Results
from benchmarks.tables import duration

_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "path",
    "figure.facecolor": "white",
}


def _quartiles(spread: dict[str, float], scale: float = 1.0) -> tuple[float, float, float]:
    return (
        spread["first_quartile"] * scale,
        spread["median"] * scale,
        spread["third_quartile"] * scale,
    )


def _line(
    axes: Axes, name: str, points: Sequence[tuple[float, tuple[float, float, float]]]
) -> None:
    """Draw a candidate's medians, with the quartiles as a band."""
    candidate = CANDIDATES[name]
    xs = [x for x, _ in points]
    lows, middles, highs = zip(*(figures for _, figures in points), strict=True)
    ours = name in ("ours", "cached")
    axes.plot(
        xs, middles, color=candidate.colour, marker=candidate.marker, label=candidate.label,
        linewidth=2.6 if ours else 1.5, markersize=6, linestyle="--" if name == "redis-py" else "-",
        zorder=3 if ours else 2,
    )  # fmt: skip
    axes.fill_between(xs, lows, highs, color=candidate.colour, alpha=0.15, linewidth=0)


def _log_axis(axis: Any, ticks: tuple[int, ...]) -> None:
    axis.set_major_locator(mpl.ticker.FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_minor_locator(NullLocator())


def _milliseconds(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def turn(results: Results) -> Figure:
    """Draw the cost of a turn against the length of the history, over both links."""
    figure, both = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True, layout="constrained")
    for axes, link in zip(both, (LOOPBACK, SLOW), strict=True):
        for name in HISTORIES:
            points = []
            for length in LENGTHS:
                found = results["times"].get(turn_name(length, link), {}).get(name)
                if found:
                    points.append((length, _quartiles(found["spread"], 1e-3)))
            if points:
                _line(axes, name, points)
        axes.set(xscale="log", yscale="log", xlabel="messages in the session")
        title = "on the same machine" if link == LOOPBACK else "1 ms of network away"
        axes.set_title(f"Server {title}")
        _log_axis(axes.xaxis, LENGTHS)
        _milliseconds(axes)
    both[0].set_ylabel("a turn: read all, append two")
    handles, labels = both[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def reads(results: Results) -> Figure:
    """Draw first and repeated reads, a bar a candidate."""
    shown = {"read 1,000": "Read 1,000 messages", "read 1,000 again": "Again, after one more turn"}
    figure, both = plt.subplots(1, 2, figsize=(10, 3.6), sharex=True, sharey=True,
                                layout="constrained")  # fmt: skip
    for axes, (measurement, title) in zip(both, shown.items(), strict=True):
        found = results["times"][measurement]
        names = [name for name in HISTORIES if name in found][::-1]
        for row, name in enumerate(names):
            low, middle, high = _quartiles(found[name]["spread"], 1e-3)
            axes.barh(row, middle, color=CANDIDATES[name].colour, height=0.66)
            axes.plot([low, high], [row, row], color="black", linewidth=1.2)
            axes.annotate(f" {duration(middle * 1e3)}", (max(high, middle), row), va="center",
                          xytext=(3, 0), textcoords="offset points")  # fmt: skip
        axes.set_yticks(range(len(names)), [CANDIDATES[name].label for name in names])
        axes.set_title(title)
        axes.set_xlabel("milliseconds, median; line: quartiles")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    both[0].margins(x=0.16)
    return figure


def memory(results: Results) -> Figure:
    """Draw the bytes a message as a share of release 0.3.0's, by transcript."""
    found = {name: sizes for name, sizes in results["memory"].items() if "legacy" in sizes}
    names = [n for n in HISTORIES if any(n in sizes for sizes in found.values())]
    figure, axes = plt.subplots(figsize=(10, 4.2), layout="constrained")
    width = 0.86 / len(names)
    for offset, name in enumerate(names):
        for place, sizes in enumerate(found.values()):
            if name not in sizes:
                continue
            share = sizes[name]["bytes"] / sizes["legacy"]["bytes"]
            x = place + (offset - (len(names) - 1) / 2) * width
            axes.bar(x, share, width * 0.92, color=CANDIDATES[name].colour,
                     label=CANDIDATES[name].label if place == 0 else None)  # fmt: skip
            if name in ("ours", "zstd"):
                axes.annotate(f"{share:.2f}", (x, share), ha="center", xytext=(-4, 3),
                              textcoords="offset points", fontsize=9, fontweight="bold",
                              color=CANDIDATES[name].colour)  # fmt: skip
    legacy = {name: sizes["legacy"] for name, sizes in found.items()}
    ticks = [f"{n}\n{size['bytes'] / size['messages']:,.0f} B" for n, size in legacy.items()]
    axes.set_xticks(range(len(found)), ticks)
    axes.axhline(1, color=CANDIDATES["legacy"].colour, linewidth=1, linestyle=":")
    axes.set_ylabel("memory in the server,\nas a share of release 0.3.0's")
    axes.set_title("Memory a message, by transcript; below each, what release 0.3.0 takes")
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def throughput(results: Results) -> Figure:
    """Draw turns a second against the number of turns taken at once."""
    figure, axes = plt.subplots(figsize=(7.4, 4.6), layout="constrained")
    for name in HISTORIES:
        points = []
        for concurrency in CONCURRENCIES:
            found = results["times"].get(concurrency_name(concurrency), {}).get(name)
            if found:
                low, middle, high = _quartiles(found["spread"])
                points.append((concurrency, (1e6 / high, 1e6 / middle, 1e6 / low)))
        if points:
            _line(axes, name, points)
    axes.set(xscale="log", ylim=(0, None), xlabel="turns taken at once, by one process")
    axes.set_ylabel("turns a second")
    axes.set_title("200 sessions of 50 messages: read all, append two")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _log_axis(axes.xaxis, CONCURRENCIES)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def draw(results: Results, folder: Path) -> None:
    """Write every plot, as PNG and as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(_STYLE):
        for plot in (turn, reads, memory, throughput):
            figure = plot(results)
            path = folder / f"benchmark_{plot.__name__}"
            figure.savefig(path.with_suffix(".png"), dpi=160)
            figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
            plt.close(figure)
