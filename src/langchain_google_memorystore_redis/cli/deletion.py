"""Commands `delete` and `clear-cache`.

Strategy: counts what it would delete, asks for confirmation, then calls the library. What takes
time to import is imported when the command runs.
"""

# ruff: noqa: PLC0415  (`--help` and `--version` import neither redis-py nor LangChain)
from __future__ import annotations

import sys
from typing import Annotated

import typer

from langchain_google_memorystore_redis.cli.formatting import format_count
from langchain_google_memorystore_redis.cli.options import Json, SessionIds
from langchain_google_memorystore_redis.cli.server import Server, named_server

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def delete(
    ctx: typer.Context,
    session_ids: SessionIds = None,
    *,
    id_prefix: Annotated[
        str | None,
        typer.Option(help="Delete all sessions, threads and items whose id starts with this."),
    ] = None,
    old_id_prefix: Annotated[str | None, typer.Option("--prefix", hidden=True)] = None,
    threads_prefix: Annotated[
        str, typer.Option(help="Key prefix of the threads of checkpoints.")
    ] = "checkpoint:",
    store_prefix: Annotated[str, typer.Option(help="Key prefix of the store's items.")] = "store:",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Delete sessions by id, or all that belongs to an id prefix.

    `--id-prefix` finds sessions, threads of checkpoints, and items of the store by the first label
    of their namespace. Asks for confirmation and prints how many were deleted. Caches are not
    searched: see `clear-cache`.
    """
    from langchain_google_memorystore_redis.cli import output

    server = named_server(ctx)
    if old_id_prefix is not None:
        output.say("delete --prefix is now called --id-prefix", "yellow")
    begin = id_prefix if id_prefix is not None else old_id_prefix
    if bool(session_ids) == bool(begin):
        raise typer.BadParameter("name sessions, or pass an --id-prefix that is not empty")
    if begin:
        prefixes = (server.prefix, threads_prefix, store_prefix)
        _delete_by_prefix(server, begin, prefixes, dry_run=dry_run, yes=yes, as_json=as_json)
    else:
        _delete_sessions(server, session_ids or [], dry_run, yes, as_json)


def _delete_sessions(server: Server, ids: list[str], dry_run: bool, yes: bool, json: bool) -> None:
    from langchain_google_memorystore_redis import sessions
    from langchain_google_memorystore_redis.cli import output

    with server.client() as client:
        if dry_run:
            found = [sessions.describe_session(client, i, key_prefix=server.prefix) for i in ids]
            count = sum(1 for each in found if each)
        else:
            _confirm(f"Delete {', '.join(map(repr, ids))} {server.prefix_phrase}?", yes)
            count = sessions.delete_sessions(client, ids, key_prefix=server.prefix)
    if json:
        output.print_json({"would_delete" if dry_run else "deleted": count, "refused": 0})
    output.say(f"{'Would delete' if dry_run else 'Deleted'} {format_count(count, 'session')}.")


def _delete_by_prefix(
    server: Server,
    begin: str,
    key_prefixes: tuple[str, str, str],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from langchain_google_memorystore_redis.cli import output
    from langchain_google_memorystore_redis.cli.forgetting import Belongings

    with server.client() as client:
        belongings = Belongings(client, begin, *key_prefixes)
        found = belongings.count()
        if found and not dry_run:
            _confirm(f"Delete {found} whose id starts with {begin!r}?", yes)
        done = found if dry_run else belongings.delete(found)
    if as_json:
        fields = {"would_delete" if dry_run else "deleted": done.sessions}
        fields |= {"threads": done.threads, "items": done.items, "refused": done.refused}
        output.print_json(fields)
    skipped = f" Skipped {format_count(done.refused, 'key')} of another kind." * bool(done.refused)
    output.say(f"{'Would delete' if dry_run else 'Deleted'} {done}.{skipped}")
    output.say("Caches were not searched: clear-cache clears them as a whole.", "dim")


def clear_cache(
    ctx: typer.Context,
    yes: Yes = False,
) -> None:
    """Clear a cache as a whole: the one at the global --prefix, or both default ones.

    A cache holds nothing that tells whose an answer was. Its entries are stale at once, for every
    process, and the server removes them as they expire.
    """
    from langchain_google_memorystore_redis import MemorystoreCache
    from langchain_google_memorystore_redis.cli import output

    server = named_server(ctx)
    prefixes = [server.prefix] if server.prefix else ["cache:", "node-cache:"]
    names = " and ".join(map(repr, prefixes))
    _confirm(f"Clear the whole cache at {names}?", yes)
    with server.client() as client:
        for prefix in prefixes:
            MemorystoreCache(client, key_prefix=prefix).clear()
    output.say(f"Cleared the whole cache at {names}.")


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
