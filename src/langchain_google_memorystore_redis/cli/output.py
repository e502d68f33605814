"""Output of the commands.

Strategy: data goes to stdout; messages and progress go to stderr. A terminal gets tables, colours
and Markdown; a pipe gets complete lines with tabs, in the same order; `--json` prints one JSON
object per line. Text is made visible wherever it goes, and JSON escapes what is not ASCII.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from langchain_core.messages import message_to_dict
from rich.cells import cell_len
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from langchain_google_memorystore_redis._codec.decode import time_of
from langchain_google_memorystore_redis._history.display import turns_of
from langchain_google_memorystore_redis._history.operations import HistoryOps, Page
from langchain_google_memorystore_redis._history.transcript import (
    rich_turn,
    to_text,
    visible,
    visible_json,
    visible_line,
)
from langchain_google_memorystore_redis.cli.assessment import Finding
from langchain_google_memorystore_redis.cli.formatting import (
    format_age,
    format_count,
    format_duration,
)
from langchain_google_memorystore_redis.errors import CorruptEntryError
from langchain_google_memorystore_redis.sessions import Imported, Session

_PROGRESS_DELAY = 0.5
"""Seconds before a progress bar is shown."""

_MIN_ID_WIDTH = 20

_OPTIONAL_COLUMNS = ("FIRST", "SIZE", "EXPIRES IN", "MESSAGES", "LAST")
"""Columns of the table of sessions, in the order in which a narrow terminal loses them."""


def stdout() -> Console:
    """Return a console of the present stdout."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def say(text: str, style: str = "") -> None:
    """Print a message for a person on stderr."""
    Console(file=sys.stderr, highlight=False, soft_wrap=True).print(
        Text(visible(text), style=style)
    )


def print_json(fields: dict[str, Any]) -> None:
    """Print a JSON object in one line of stdout, flushed at once."""
    print(_json_line(fields), flush=True)  # noqa: T201


def _json_line(fields: dict[str, Any]) -> str:
    return visible_json(json.dumps(fields, ensure_ascii=True).encode()).decode()


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr, if that is a terminal, after a delay and until the end."""
    console = Console(file=sys.stderr)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}" + (f" of {total:,}" if total else "")),
    )
    # rich would redirect to stderr what belongs in a pipe.
    redirect_stdout = sys.stdout.isatty()
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=redirect_stdout)
    task = bar.add_task(description, total=total)
    started = time.monotonic()

    def advance(completed: int) -> None:
        if console.is_terminal and time.monotonic() - started > _PROGRESS_DELAY:
            bar.start()
        bar.update(task, completed=min(completed, total) if total else completed)

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


def print_page(ops: HistoryOps, page: Page, as_json: bool, day: date | None = None) -> date | None:
    """Print a page of a transcript, below messages of `day`, and return the day of its last one."""
    if as_json:
        for index, element in enumerate(page.elements, page.first):
            print_json({"index": index, **_entry_fields(ops, element, index)})
        return None
    console = stdout()
    for turn in turns_of(ops, page):
        if not console.is_terminal:
            print(to_text(turn), flush=True)  # noqa: T201
            continue
        written = turn.written_at and turn.written_at.astimezone().date()
        if written and written != day:
            day = written
            console.print(Text(f"{day}", style="dim"))
        console.print(rich_turn(turn, markdown=True))
    return day


def _entry_fields(ops: HistoryOps, element: bytes, index: int) -> dict[str, Any]:
    try:
        ((message, entry_id, at, inexact),) = ops.decode_page(Page([element], index))
    except CorruptEntryError as error:
        return {"error": str(error)}
    envelope = {"id": entry_id, "written_at": _iso(time_of(at)), "inexact": list(inexact)}
    return envelope | message_to_dict(message)


def print_finding(finding: Finding) -> None:
    """Print a finding of `doctor` with its advice."""
    console = stdout()
    if not console.is_terminal:
        fields = (finding.level, finding.check, finding.detail, finding.advice)
        print("\t".join(map(visible_line, fields)), flush=True)  # noqa: T201
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=6, no_wrap=True)
    grid.add_column(width=11)
    grid.add_column(overflow="fold")
    grid.add_row(
        Text(finding.level, style=f"bold {finding.level}"),
        Text(finding.check, style="bold"),
        Text(visible(finding.detail)),
    )
    if finding.advice:
        grid.add_row("", "", Text(visible(finding.advice), style="dim"))
    console.print(grid)


def print_imported(imported: Imported, as_json: bool) -> None:
    """Print the result of an import or a migration."""
    if as_json:
        print_json(asdict(imported))
    added = format_count(imported.added, "message")
    present = f" ({imported.present:,} already present)" if imported.present else ""
    say(f"Added {added} in {format_count(imported.sessions, 'session')}{present}.")
    for session_id in imported.refused:
        say(f"Not imported, the session holds other messages: {session_id!r}", "yellow")


def print_sessions(sessions: Iterable[Session], as_json: bool) -> int:
    """Print a line for each session as soon as it is known, and return their number."""
    count = 0
    for session in sessions:
        fields = _session_fields(session)
        print(_json_line(fields) if as_json else _tabbed(fields), flush=True)  # noqa: T201
        count += 1
    return count


def print_table(sessions: Sequence[Session]) -> int:
    """Print a table of sessions, the last written first, and return their number."""
    if sessions:
        console = stdout()
        newest_first = sorted(sessions, key=_last_written, reverse=True)
        console.print(_table(newest_first, console.width))
    return len(sessions)


def _session_fields(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "messages": session.messages,
        "size_bytes": session.size_bytes,
        "first_written_at": _iso(session.first_written_at),
        "last_written_at": _iso(session.last_written_at),
        "expires_in_seconds": session.expires_in and session.expires_in.total_seconds(),
    }


def _tabbed(fields: dict[str, Any]) -> str:
    session_id, *others = fields.values()
    cells = ("-" if value is None else str(value) for value in others)
    return "\t".join([visible_line(session_id), *cells])


def _table(sessions: Sequence[Session], width: int) -> Table:
    """Return a table with as many columns as fit beside the ids, or the first part of them."""
    columns = _columns(sessions)
    widths = {name: max(map(cell_len, (name, *cells))) for name, cells in columns.items()}
    widths["SESSION"] = min(widths["SESSION"], _MIN_ID_WIDTH)
    for name in _OPTIONAL_COLUMNS:
        if sum(widths.values()) + 2 * (len(widths) - 1) > width:
            del columns[name], widths[name]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("SESSION", overflow="fold", style="cyan")
    for name in list(columns)[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, cells))
    return table


def _columns(sessions: Sequence[Session]) -> dict[str, list[str]]:
    now = datetime.now(UTC)
    return {
        "SESSION": [visible_line(each.session_id) for each in sessions],
        "MESSAGES": [f"{each.messages:,}" for each in sessions],
        "SIZE": ["-" if each.size_bytes is None else decimal(each.size_bytes) for each in sessions],
        "FIRST": [format_age(each.first_written_at, now) for each in sessions],
        "LAST": [format_age(each.last_written_at, now) for each in sessions],
        "EXPIRES IN": [
            "never" if each.expires_in is None else format_duration(each.expires_in)
            for each in sessions
        ],
    }


def _last_written(session: Session) -> float:
    return session.last_written_at.timestamp() if session.last_written_at else 0.0


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
