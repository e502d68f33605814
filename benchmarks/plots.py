"""The plots of docs/performance.md.

Strategy: pure drawing from the results of a run; PNG for readers, SVG for those who zoom. The
colours are Okabe and Ito's, which colour-blind people tell apart, and each contestant has a marker
of its own besides. Log axes where figures span decades; a zero line everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from benchmarks.contestants import CONTESTANTS
from benchmarks.measurements import CONCURRENCIES, LENGTHS, LOOPBACK, SLOW
from benchmarks.tables import duration

Results = dict[str, Any]
_COLOURS = {
    "floor": "#777777",
    "ours": "#0072B2",
    "cached": "#56B4E9",
    "zstd": "#009E73",
    "legacy": "#D55E00",
    "community": "#E69F00",
    "langchain-redis": "#CC79A7",
    "agents": "#222222",
}
_MARKERS = {
    "floor": "x",
    "ours": "o",
    "cached": "s",
    "zstd": "h",
    "legacy": "^",
    "community": "v",
    "langchain-redis": "D",
    "agents": "P",
}
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
    """A contestant's medians, with the quartiles as a band."""
    xs = [x for x, _ in points]
    lows, middles, highs = zip(*(figures for _, figures in points), strict=True)
    ours = name in ("ours", "cached")
    axes.plot(
        xs, middles, color=_COLOURS[name], marker=_MARKERS[name], label=CONTESTANTS[name].label,
        linewidth=2.6 if ours else 1.5, markersize=6, linestyle="--" if name == "floor" else "-",
        zorder=3 if ours else 2,
    )  # fmt: skip
    axes.fill_between(xs, lows, highs, color=_COLOURS[name], alpha=0.15, linewidth=0)


def _log_axis(axis: Any, ticks: tuple[int, ...]) -> None:
    axis.set_major_locator(mpl.ticker.FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_minor_locator(NullLocator())


def _milliseconds(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def turn(results: Results) -> Figure:
    """Cost of a turn against the length of the history, over both links."""
    figure, both = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True, layout="constrained")
    for axes, link in zip(both, (LOOPBACK, SLOW), strict=True):
        for name in CONTESTANTS:
            points = []
            for length in LENGTHS:
                found = results["times"].get(f"turn at {length:,}, {link}", {}).get(name)
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
    """Cold and warm reads, a bar a contestant."""
    shown = {"read 1,000": "Read 1,000 messages", "read 1,000 again": "Again, after one more turn"}
    figure, both = plt.subplots(1, 2, figsize=(10, 3.6), sharex=True, sharey=True,
                                layout="constrained")  # fmt: skip
    for axes, (measurement, title) in zip(both, shown.items(), strict=True):
        found = results["times"][measurement]
        names = [name for name in CONTESTANTS if name in found][::-1]
        for row, name in enumerate(names):
            low, middle, high = _quartiles(found[name]["spread"], 1e-3)
            axes.barh(row, middle, color=_COLOURS[name], height=0.66)
            axes.plot([low, high], [row, row], color="black", linewidth=1.2)
            axes.annotate(f" {duration(middle * 1e3)}", (max(high, middle), row), va="center",
                          xytext=(3, 0), textcoords="offset points")  # fmt: skip
        axes.set_yticks(range(len(names)), [CONTESTANTS[name].label for name in names])
        axes.set_title(title)
        axes.set_xlabel("milliseconds, median; line: quartiles")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    both[0].margins(x=0.16)
    return figure


def memory(results: Results) -> Figure:
    """Bytes a message as a share of release 0.3.0's, by transcript."""
    found = results["memory"]
    names = [n for n in CONTESTANTS if any(n in sizes for sizes in found.values())]
    figure, axes = plt.subplots(figsize=(10, 4.2), layout="constrained")
    width = 0.86 / len(names)
    for offset, name in enumerate(names):
        for place, sizes in enumerate(found.values()):
            if name not in sizes:
                continue
            share = sizes[name]["bytes"] / sizes["legacy"]["bytes"]
            x = place + (offset - (len(names) - 1) / 2) * width
            axes.bar(x, share, width * 0.92, color=_COLOURS[name],
                     label=CONTESTANTS[name].label if place == 0 else None)  # fmt: skip
            if name in ("ours", "zstd"):
                axes.annotate(f"{share:.2f}", (x, share), ha="center", xytext=(-4, 3),
                              textcoords="offset points", fontsize=9, fontweight="bold",
                              color=_COLOURS[name])  # fmt: skip
    ticks = [f"{t}\n{sizes['legacy']['bytes']:,.0f} B" for t, sizes in found.items()]
    axes.set_xticks(range(len(found)), ticks)
    axes.axhline(1, color=_COLOURS["legacy"], linewidth=1, linestyle=":")
    axes.set_ylabel("memory in the server,\nas a share of release 0.3.0's")
    axes.set_title("Memory a message, by transcript; below each, what release 0.3.0 takes")
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def throughput(results: Results) -> Figure:
    """Turns a second against how many tasks take them at once."""
    figure, axes = plt.subplots(figsize=(7.4, 4.6), layout="constrained")
    for name in CONTESTANTS:
        points = []
        for concurrency in CONCURRENCIES:
            found = results["times"].get(f"turns by {concurrency} at once", {}).get(name)
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


def _figures(results: Results) -> Iterator[tuple[str, Figure]]:
    for draw_one in (turn, reads, memory, throughput):
        yield draw_one.__name__, draw_one(results)


def draw(results: Results, folder: Path) -> None:
    """Write every plot, as PNG and as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(_STYLE):
        for name, figure in _figures(results):
            figure.savefig(folder / f"benchmark_{name}.png", dpi=160)
            figure.savefig(folder / f"benchmark_{name}.svg", metadata={"Date": None})
            plt.close(figure)
