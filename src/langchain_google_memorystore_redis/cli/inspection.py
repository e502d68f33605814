"""Commands that only read: `doctor`, `list` and `show`.

Strategy: each calls the library once and prints the result. What takes time to import is imported
when the command runs.
"""

# ruff: noqa: PLC0415  (`--help` and `--version` import neither redis-py nor LangChain)
from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from langchain_google_memorystore_redis.cli.formatting import format_count
from langchain_google_memorystore_redis.cli.options import Json
from langchain_google_memorystore_redis.cli.server import named_server


def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Check the server and its settings.

    Rates each check green, yellow or red, with advice. Red exits with code 1.
    Stores one message under the prefix and deletes it again.
    """
    from langchain_google_memorystore_redis.cli import output
    from langchain_google_memorystore_redis.cli.doctor import run_checks

    server = named_server(ctx)
    if not as_json:
        output.say(f"Checking {server.address}", "dim")
    levels: list[str] = []
    for finding in run_checks(server):
        levels.append(finding.level)
        if as_json:
            output.print_json(asdict(finding))
        else:
            output.print_finding(finding)
    if not as_json:
        output.say(_summary(levels))
    raise typer.Exit(1 if "red" in levels else 0)


def _summary(levels: list[str]) -> str:
    red, yellow = levels.count("red"), levels.count("yellow")
    if red:
        return f"Found {format_count(red, 'problem')}."
    if yellow:
        return f"Works, with {format_count(yellow, 'warning')}."
    return "Found no problems."


def list_sessions(ctx: typer.Context, as_json: Json = False) -> None:
    """List the sessions.

    Prints a table on a terminal; elsewhere, lines of tab-separated values:
    id, messages, bytes, first write, last write, seconds to live.
    """
    from langchain_google_memorystore_redis import sessions
    from langchain_google_memorystore_redis.cli import output
    from langchain_google_memorystore_redis.cli.info import scan_progress

    server = named_server(ctx)
    with server.client() as client, scan_progress(client, "Scanning keys") as progress:
        found = sessions.list_sessions(client, server.prefix, progress=progress)
        table = list(found) if output.stdout().is_terminal and not as_json else None
        if table is None:
            count = output.print_sessions(found, as_json)
    if table is not None:  # the progress bar has gone
        count = output.print_table(table)
    output.say(f"{format_count(count, 'session')} {server.prefix_phrase}", "dim")


def show(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Session id.")],
    last: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Show the last N messages only (default with --follow: 10)."
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new messages as they come, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the transcript of a session.

    Prints times, roles and tool calls; renders Markdown on a terminal.
    """
    from langchain_google_memorystore_redis._history.operations import HistoryOps
    from langchain_google_memorystore_redis._redis.clients import runners_for
    from langchain_google_memorystore_redis._redis.keys import session_key
    from langchain_google_memorystore_redis.cli import output
    from langchain_google_memorystore_redis.cli.follow import read_pages

    server = named_server(ctx)
    ops = HistoryOps(session, session_key(server.prefix, session))
    empty, day = True, None
    with server.client() as client:
        try:
            for page in read_pages(runners_for(client)[0], ops, last, follow):
                if page is None:
                    output.say("-- the session was truncated or cleared --", "yellow")
                else:
                    empty = empty and not page.elements
                    day = output.print_page(ops, page, as_json, day)
        except KeyboardInterrupt:
            if not follow:
                raise
    if empty and not follow and last != 0:
        raise ValueError(f"no session {session!r} {server.prefix_phrase}")
