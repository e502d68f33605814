"""Command `delete`.

Strategy: counts what it would delete, asks for confirmation, then calls the library. What takes
time to import is imported when the command runs.
"""

# ruff: noqa: PLC0415  (`--help` and `--version` import neither redis-py nor LangChain)
from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from langchain_google_memorystore_redis.cli.formatting import format_count
from langchain_google_memorystore_redis.cli.options import Json, SessionIds
from langchain_google_memorystore_redis.cli.server import named_server


def delete(
    ctx: typer.Context,
    session_ids: SessionIds = None,
    prefix: Annotated[
        str | None, typer.Option(help="Delete all sessions whose id starts with this.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: Json = False,
) -> None:
    """Delete sessions, by id or by prefix.

    Asks for confirmation and prints how many were deleted.
    """
    from langchain_google_memorystore_redis import sessions
    from langchain_google_memorystore_redis.cli import output

    server = named_server(ctx)
    if bool(session_ids) == bool(prefix):
        raise typer.BadParameter("name sessions, or pass a --prefix that is not empty")
    with server.client() as client:
        if prefix:
            deleted, refused = _delete_prefix(client, server.prefix + prefix, yes)
        else:
            ids = session_ids or []
            _confirm(f"Delete {', '.join(map(repr, ids))} {server.prefix_phrase}?", yes)
            deleted, refused = sessions.delete_sessions(client, ids, key_prefix=server.prefix), 0
    if as_json:
        output.print_json({"deleted": deleted, "refused": refused})
    skipped = f" Skipped {format_count(refused, 'key')} of another kind." if refused else ""
    output.say(f"Deleted {format_count(deleted, 'session')}.{skipped}")


def _delete_prefix(client: Any, key_prefix: str, yes: bool) -> tuple[int, int]:
    """Delete after confirmation; return how many sessions were deleted and keys skipped."""
    from langchain_google_memorystore_redis import sessions
    from langchain_google_memorystore_redis.cli import output
    from langchain_google_memorystore_redis.cli.info import scan_progress

    with scan_progress(client, "Scanning keys") as progress:
        found = messages = 0
        for session in sessions.list_sessions(client, key_prefix, progress=progress):
            found += 1
            messages += session.messages
    if found:
        counts = f"{format_count(found, 'session')} ({format_count(messages, 'message')})"
        _confirm(f"Delete {counts} whose key starts with {key_prefix!r}?", yes)
    with output.progress("Deleting sessions", found) as progress:
        deleted = sessions.delete_prefix(client, key_prefix, progress=progress)
    return deleted.sessions, deleted.refused


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    try:
        confirmed = typer.confirm(question, err=True)
    except typer.Abort:  # end of input
        typer.echo(err=True)
        raise
    if not sys.stdin.isatty():  # nobody pressed Enter, which would have ended the line
        typer.echo(err=True)
    if not confirmed:
        raise typer.Abort
