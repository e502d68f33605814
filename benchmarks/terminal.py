"""Output of a run in the terminal.

Strategy: rich draws; `tables` decides what the tables say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.results import Results
from benchmarks.tables import TABLES

T = TypeVar("T")
_STYLES = {"met": "green", "**missed**": "bold red", "open": "yellow"}


def track(items: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
    """Yield the items, and show how many are done and the name of the current one."""
    columns = (
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns) as bar:
        task = bar.add_task("", total=len(items))
        for item in items:
            bar.update(task, description=name(item))
            yield item
            bar.advance(task)


def show(results: Results) -> None:
    """Print all tables of a run."""
    console = Console() if sys.stdout.isatty() else Console(width=200)
    for name, make in TABLES.items():
        made = make(results)
        if not made.rows:
            continue
        table = Table(title=name, title_justify="left", title_style="bold")
        for index, heading in enumerate(made.headings):
            table.add_column(heading, justify="right" if index else "left")
        for row in made.rows:
            style = _STYLES.get(row[-1]) if name == "checks" else None
            table.add_row(*(cell.replace("**", "") for cell in row), style=style)
        console.print(table)


def say(line: str) -> None:
    """Print a line."""
    Console(highlight=False).print(line, markup=False)
