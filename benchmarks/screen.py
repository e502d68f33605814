"""What a person sees while it runs, and at its end.

Strategy: rich draws; what the tables say is decided in tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import tables
from benchmarks.run import Tick

_STYLES = {"met": "green", "**missed**": "bold red", "open": "yellow"}


@contextmanager
def progress(steps: int) -> Iterator[Tick]:
    """A bar of so many steps; call what is given with the name of each step done."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[at]}"),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("", total=steps, at="")

        def tick(name: str) -> None:
            bar.update(task, advance=1, at=name)

        yield tick


def show(results: dict[str, Any]) -> None:
    """All tables of a run."""
    console = Console() if sys.stdout.isatty() else Console(width=200)
    for name, make in tables.TABLES.items():
        made = make(results)
        if not made.rows:
            continue
        table = Table(title=name, title_justify="left", title_style="bold")
        for position, heading in enumerate(made.headings):
            table.add_column(heading, justify="left" if position == 0 else "right")
        for row in made.rows:
            style = _STYLES.get(row[-1]) if name == "demands" else None
            table.add_row(*(cell.replace("**", "") for cell in row), style=style)
        console.print(table)


def say(line: str) -> None:
    """One line."""
    Console(highlight=False).print(line)
