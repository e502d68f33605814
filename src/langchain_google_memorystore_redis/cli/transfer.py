"""Commands that move sessions: `export`, `import` and `migrate`.

Strategy: each calls the library once and prints the result. What takes time to import is imported
when the command runs.
"""

# ruff: noqa: PLC0415  (`--help` and `--version` import neither redis-py nor LangChain)
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from langchain_google_memorystore_redis._sessions.names import ForeignFormat, Format, OriginName
from langchain_google_memorystore_redis.cli.formatting import format_count
from langchain_google_memorystore_redis.cli.options import Json, SessionIds, Ttl
from langchain_google_memorystore_redis.cli.server import named_server


def export_sessions(
    ctx: typer.Context,
    session_ids: SessionIds = None,
    path: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, not to stdout.")
    ] = None,
    format: Annotated[  # noqa: A002  (the name of the option)
        Format,
        typer.Option(help="jsonl restores sessions byte for byte; openai is for other programs."),
    ] = "jsonl",
) -> None:
    """Export sessions, all if none is named.

    Writes one line per message (jsonl), or one per session (openai).
    """
    from langchain_google_memorystore_redis import sessions
    from langchain_google_memorystore_redis.cli import output
    from langchain_google_memorystore_redis.cli.files import open_export

    server = named_server(ctx)
    with server.client() as client, open_export(path) as write:
        for session_id in session_ids or ():
            if sessions.describe_session(client, session_id, key_prefix=server.prefix) is None:
                raise ValueError(
                    f"no session {session_id!r} {server.prefix_phrase}; nothing was exported"
                )
        lines = sessions.export_sessions(
            client, session_ids or None, key_prefix=server.prefix, format=format
        )
        with output.progress("Exporting lines") as progress:
            count = 0
            for count, line in enumerate(lines, 1):
                write(line)
                progress(count)
    noun = "message" if format == "jsonl" else "session"
    output.say(f"Exported {format_count(count, noun)}.")


def import_sessions(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File to read, or - for stdin.")],
    format: Annotated[  # noqa: A002
        ForeignFormat,
        typer.Option(help="Format of the file; langchain-redis: one JSON document per line."),
    ] = "jsonl",
    ttl: Ttl = None,
    as_json: Json = False,
) -> None:
    """Import sessions from a file.

    Can be repeated after an interruption: no message is added twice.
    """
    from langchain_google_memorystore_redis import sessions
    from langchain_google_memorystore_redis.cli import output
    from langchain_google_memorystore_redis.cli.files import open_import

    server = named_server(ctx)
    with server.client() as client, open_import(path) as lines:
        imported = sessions.import_sessions(
            client, lines, key_prefix=server.prefix, ttl=ttl, format=format
        )
    output.print_imported(imported, as_json)
    raise typer.Exit(1 if imported.refused else 0)


def migrate(
    ctx: typer.Context,
    origin: Annotated[
        OriginName, typer.Argument(metavar="ORIGIN", help="Package that wrote the sessions.")
    ],
    *,
    source_url: Annotated[
        str | None,
        typer.Option(help="Server to copy from, without IAM; by default the one of --url."),
    ] = None,
    source_prefix: Annotated[
        str | None, typer.Option(help="Key prefix to copy from; by default that of the package.")
    ] = None,
    ttl: Ttl = None,
    as_json: Json = False,
) -> None:
    """Copy sessions of another package.

    Removes nothing from the source. Can be repeated: no message is added twice.
    To read langchain-redis, the source server needs a JSON module.
    """
    from langchain_google_memorystore_redis import sessions
    from langchain_google_memorystore_redis.cli import output

    server = named_server(ctx)
    with (
        server.client() as target,
        server.client(source_url) as source,
        output.progress("Copying sessions") as progress,
    ):
        imported = sessions.migrate_sessions(
            source,
            target,
            origin,
            source_prefix=source_prefix,
            key_prefix=server.prefix,
            ttl=ttl,
            progress=progress,
        )
    if not imported.sessions:
        output.say(f"No sessions of {origin} found: see --source-url and --source-prefix.")
    output.print_imported(imported, as_json)
    raise typer.Exit(1 if imported.refused else 0)
