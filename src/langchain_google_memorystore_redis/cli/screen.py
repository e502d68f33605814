"""What the commands print.

Strategy: data goes to stdout, words and progress to stderr. A terminal gets tables, colours and
Markdown; a pipe gets lines with tabs, in the same order and nothing cut off; `--json` gives one
JSON object a line. NO_COLOR and TERM are honoured, by rich.
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
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from langchain_google_memorystore_redis._codec.decode import time_of
from langchain_google_memorystore_redis._history.display import turns_of
from langchain_google_memorystore_redis._history.operations import HistoryOps, Page
from langchain_google_memorystore_redis._history.transcript import rich_turn, to_text, visible
from langchain_google_memorystore_redis.cli.judgement import Finding
from langchain_google_memorystore_redis.cli.words import ago, plural, size, span
from langchain_google_memorystore_redis.errors import CorruptEntryError
from langchain_google_memorystore_redis.sessions import Imported, Session

_SHORT = 0.5
"""Seconds for which no progress need be shown."""
_LEAST_OF_ID = 20
_FIRST_TO_GO = ("FIRST", "SIZE", "EXPIRES IN", "MESSAGES", "LAST")
"""The columns of a table of sessions that a narrow terminal does not get."""


def out() -> Console:
    """Stdout, as it is when the command runs."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def say(text: str, style: str = "") -> None:
    """Words for a person, on stderr."""
    Console(file=sys.stderr, highlight=False, soft_wrap=True).print(Text(text, style=style))


def print_json(fields: dict[str, Any]) -> None:
    """One JSON object in a line of stdout, flushed, so that a reader need not wait."""
    print(json.dumps(fields, ensure_ascii=True), flush=True)  # noqa: T201


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, if that is a terminal and it takes long; gone afterwards."""
    console = Console(file=sys.stderr)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}" + (f" of {total:,}" if total else "")),
    )
    # While it is shown, rich would print on stderr what a pipe is to get.
    terminal = sys.stdout.isatty()
    shown = Progress(*columns, console=console, transient=True, redirect_stdout=terminal)
    task = shown.add_task(what, total=total)
    begun = time.monotonic()

    def advance(done: int) -> None:
        if console.is_terminal and time.monotonic() - begun > _SHORT:
            shown.start()
        shown.update(task, completed=min(done, total) if total else done)

    try:
        yield advance
    finally:
        if shown.live.is_started:
            shown.stop()


def print_page(ops: HistoryOps, page: Page, as_json: bool, day: date | None = None) -> date | None:
    """A page of a transcript that goes on after `day`; the answer is the day it ends with."""
    if as_json:
        for index, element in enumerate(page.elements, page.first):
            print_json({"index": index, **_entry(ops, element, index)})
        return None
    console = out()
    for turn in turns_of(ops, page):
        if not console.is_terminal:
            print(to_text(turn), flush=True)  # noqa: T201
            continue
        written = turn.at and turn.at.astimezone().date()
        if written and written != day:
            day = written
            console.print(Text(f"{day}", style="dim"))
        console.print(rich_turn(turn, markdown=True))
    return day


def _entry(ops: HistoryOps, element: bytes, index: int) -> dict[str, Any]:
    try:
        ((message, entry_id, at),) = ops.decode_page(Page([element], index))
    except CorruptEntryError as error:
        return {"error": str(error)}
    return {"id": entry_id, "written_at": _iso(time_of(at)), **message_to_dict(message)}


def print_finding(finding: Finding) -> None:
    """A finding of `doctor`, and what to do below it; a pipe gets a line with tabs."""
    console = out()
    if not console.is_terminal:
        fields = (finding.level, finding.check, finding.detail, finding.advice)
        print("\t".join(map(visible, fields)), flush=True)  # noqa: T201
        return
    row = Table.grid(padding=(0, 1))
    row.add_column(width=6, no_wrap=True)
    row.add_column(width=11)
    row.add_column(overflow="fold")
    row.add_row(
        Text(finding.level, style=f"bold {finding.level}"),
        Text(finding.check, style="bold"),
        Text(visible(finding.detail)),
    )
    if finding.advice:
        row.add_row("", "", Text(visible(finding.advice), style="dim"))
    console.print(row)


def report(done: Imported, as_json: bool) -> None:
    """What an import did."""
    if as_json:
        print_json(asdict(done))
    were = "was" if done.present == 1 else "were"
    there = f" {plural(done.present, 'message')} {were} there already." if done.present else ""
    what = f"{plural(done.added, 'message')} in {plural(done.sessions, 'session')}"
    say(f"Added {what}.{there}")
    for session_id in done.refused:
        say(f"Left alone, it holds something else: {visible(session_id)!r}", "yellow")


def print_sessions(sessions: Iterable[Session], as_json: bool) -> int:
    """A line for each session, as soon as it is known; the answer is how many."""
    count = 0
    for session in sessions:
        fields = _session_json(session)
        print(json.dumps(fields) if as_json else _tabbed(fields), flush=True)  # noqa: T201
        count += 1
    return count


def print_table(sessions: Sequence[Session]) -> int:
    """Sessions for a person, the last written first; the answer is how many."""
    if sessions:
        console = out()
        newest_first = sorted(sessions, key=_last_written, reverse=True)
        console.print(_table(newest_first, console.width))
    return len(sessions)


def _session_json(session: Session) -> dict[str, Any]:
    """A session as `--json` shows it."""
    return {
        "session_id": session.session_id,
        "messages": session.messages,
        "size_bytes": session.size_bytes,
        "first_written_at": _iso(session.first_written_at),
        "last_written_at": _iso(session.last_written_at),
        "expires_in_seconds": session.expires_in and session.expires_in.total_seconds(),
    }


def _in_a_row(session_id: str) -> str:
    """A tab or line end in an id must not look like another column or row."""
    return visible(session_id).replace("\t", "\\t").replace("\n", "\\n")


def _tabbed(fields: dict[str, Any]) -> str:
    rest = list(fields.values())[1:]
    return "\t".join(
        [_in_a_row(fields["session_id"]), *("-" if value is None else str(value) for value in rest)]
    )


def _table(sessions: Sequence[Session], width: int) -> Table:
    """As many columns as there is room for beside the ids, or the first part of them."""
    columns = _columns(sessions)
    widths = {name: max(map(cell_len, (name, *cells))) for name, cells in columns.items()}
    widths["SESSION"] = min(widths["SESSION"], _LEAST_OF_ID)
    for name in _FIRST_TO_GO:
        if sum(widths.values()) + 2 * (len(widths) - 1) > width:
            del columns[name], widths[name]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("SESSION", overflow="fold", style="cyan")
    for name in list(columns)[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, row))
    return table


def _columns(sessions: Sequence[Session]) -> dict[str, list[str]]:
    now = datetime.now(UTC)
    return {
        "SESSION": [_in_a_row(one.session_id) for one in sessions],
        "MESSAGES": [f"{one.messages:,}" for one in sessions],
        "SIZE": [size(one.size_bytes) for one in sessions],
        "FIRST": [ago(one.first_written_at, now) for one in sessions],
        "LAST": [ago(one.last_written_at, now) for one in sessions],
        "EXPIRES IN": [
            "never" if one.expires_in is None else span(one.expires_in) for one in sessions
        ],
    }


def _last_written(session: Session) -> float:
    return session.last_written_at.timestamp() if session.last_written_at else 0.0


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
