"""The commands: each is one call of the library and the printing of its answer.

Strategy: global options say where the sessions are. Exit codes: 0 it worked, 1 it did not or
found a problem, 2 the command line was wrong.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from langchain_google_memorystore_redis import demo as demo_program
from langchain_google_memorystore_redis import sessions as library
from langchain_google_memorystore_redis._history.operations import HistoryOps
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.keys import session_key
from langchain_google_memorystore_redis._sessions.migration import OriginName
from langchain_google_memorystore_redis.cli import screen
from langchain_google_memorystore_redis.cli.doctor import examine
from langchain_google_memorystore_redis.cli.files import lines_of, writing
from langchain_google_memorystore_redis.cli.reading import read
from langchain_google_memorystore_redis.cli.server import (
    OneLineErrors,
    Server,
    named_server,
    scanning,
)
from langchain_google_memorystore_redis.cli.words import plural

app = typer.Typer(
    cls=OneLineErrors,
    name="memorystore-chat",
    help="Chat sessions in Memorystore for Redis, Redis Cluster and Valkey.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
Sessions = Annotated[list[str] | None, typer.Argument(metavar="SESSION", help="Session ids.")]
Ttl = Annotated[
    float | None, typer.Option(min=0.001, help="Seconds after which the sessions expire.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("langchain-google-memorystore-redis"))
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option(envvar="REDIS_URL", help="The server: host:port, redis:// or rediss:// URL."),
    ] = None,
    prefix: Annotated[str, typer.Option(help="The key_prefix of the sessions.")] = "",
    cluster: Annotated[
        bool | None,
        typer.Option(
            "--cluster/--no-cluster", help="Whether it is a cluster; else the server is asked."
        ),
    ] = None,
    iam: Annotated[bool, typer.Option("--iam", help="Log in with IAM.")] = False,
    ca_certs: Annotated[
        Path | None, typer.Option(help="File of the certificate authorities to trust.")
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Chat sessions in Memorystore for Redis, Redis Cluster and Valkey.

    Data goes to stdout, words and progress to stderr. Exit code 0: it worked; 1: it did not, or
    a problem was found; 2: the command line was wrong.
    """
    source = ctx.get_parameter_source("url")
    if source and source.name == "COMMANDLINE":
        url_from = "--url"
    else:  # read here: typer 0.26.0 shows the variable in its help, and takes no value from it
        url, url_from = os.environ.get("REDIS_URL") or None, "REDIS_URL"
    ctx.obj = Server(url, prefix, cluster, iam, ca_certs, url_from)


@app.command()
def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Examine the server: green, yellow or red, with what to do. Red ends with exit code 1.

    It stores one message under the prefix and removes it again.
    """
    server = named_server(ctx)
    if not as_json:
        screen.say(f"Examining {server.address}", "dim")
    levels: list[str] = []
    for finding in examine(server):
        levels.append(finding.level)
        if as_json:
            screen.print_json(asdict(finding))
        else:
            screen.print_finding(finding)
    if not as_json:
        screen.say(_verdict(levels))
    raise typer.Exit(1 if "red" in levels else 0)


def _verdict(levels: list[str]) -> str:
    red, yellow = levels.count("red"), levels.count("yellow")
    if red:
        return f"{plural(red, 'problem')} to solve."
    if yellow:
        return f"It works, with {plural(yellow, 'thing')} to know about."
    return "All is well."


@app.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """List the sessions: messages, size, first and last time of writing, time to live left.

    A pipe gets lines of id, messages, bytes, first, last, seconds to live, separated by tabs.
    """
    server = named_server(ctx)
    with server.client() as client, scanning(client, "Looking for sessions") as progress:
        found = library.list_sessions(client, server.prefix, progress=progress)
        table = list(found) if screen.out().is_terminal and not as_json else None
        if table is None:
            count = screen.print_sessions(found, as_json)
    if table is not None:  # now that no progress bar is in its way
        count = screen.print_table(table)
    screen.say(f"{plural(count, 'session')} {server.where}", "dim")


@app.command()
def show(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id.")],
    last: Annotated[
        int | None, typer.Option(min=0, help="Only the last messages (with --follow: 10).")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new messages, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the transcript of a session: times, roles, tool calls, Markdown on a terminal."""
    server = named_server(ctx)
    ops = HistoryOps(session, session_key(server.prefix, session))
    empty, day = True, None
    with server.client() as client:
        try:
            for page in read(runners_for(client)[0], ops, last, follow):
                if page is None:
                    screen.say("-- the session was cut or cleared --", "yellow")
                else:
                    empty = empty and not page.elements
                    day = screen.print_page(ops, page, as_json, day)
        except KeyboardInterrupt:
            if not follow:
                raise
    if empty and not follow and last != 0:
        raise ValueError(f"no session {session!r} {server.where}")


@app.command("export")
def export_(
    ctx: typer.Context,
    sessions: Sessions = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of stdout.")
    ] = None,
    format: Annotated[  # noqa: A002  (the name of the option)
        library.Format, typer.Option(help="jsonl comes back byte for byte.")
    ] = "jsonl",
) -> None:
    """Export sessions, all of them if none is named: one line a message, or OpenAI's format."""
    server = named_server(ctx)
    with server.client() as client, writing(output) as file:
        if sessions:
            for one in sessions:
                if library.describe_session(client, one, key_prefix=server.prefix) is None:
                    raise ValueError(f"no session {one!r} {server.where}; nothing was exported")
        lines = library.export_sessions(
            client, sessions or None, key_prefix=server.prefix, format=format
        )
        with screen.progress("Exporting lines") as progress:
            count = 0
            for count, line in enumerate(lines, 1):
                file.write(line)
                progress(count)
    noun = "message" if format == "jsonl" else "session"
    screen.say(f"Exported {plural(count, noun)}.")


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file, or - for stdin.")],
    format: Annotated[  # noqa: A002
        library.ForeignFormat,
        typer.Option(help="langchain-redis: that package's documents, one a line."),
    ] = "jsonl",
    ttl: Ttl = None,
    as_json: Json = False,
) -> None:
    """Import what `export` wrote. Run it again after it broke off: it adds nothing twice."""
    server = named_server(ctx)
    with server.client() as client, lines_of(file) as lines:
        done = library.import_sessions(
            client, lines, key_prefix=server.prefix, ttl=ttl, format=format
        )
    screen.report(done, as_json)
    raise typer.Exit(1 if done.refused else 0)


@app.command()
def migrate(
    ctx: typer.Context,
    origin: Annotated[
        OriginName, typer.Argument(metavar="ORIGIN", help="The package whose sessions to copy.")
    ],
    *,
    source_url: Annotated[
        str | None,
        typer.Option(help="The server they are on, if it is another: any, but without IAM."),
    ] = None,
    source_prefix: Annotated[
        str | None, typer.Option(help="Their prefix, if it is not that package's usual one.")
    ] = None,
    ttl: Ttl = None,
    as_json: Json = False,
) -> None:
    """Copy another package's sessions. Nothing is removed there, nothing is added twice here.

    langchain-redis keeps JSON documents, so its server must have a JSON module.
    """
    server = named_server(ctx)
    with (
        server.client() as target,
        server.client(source_url) as source,
        screen.progress("Copying sessions") as progress,
    ):
        done = library.migrate_sessions(
            source,
            target,
            origin,
            source_prefix=source_prefix,
            key_prefix=server.prefix,
            ttl=ttl,
            progress=progress,
        )
    if not done.sessions:
        screen.say(f"No sessions of {origin} found: see --source-url and --source-prefix.")
    screen.report(done, as_json)
    raise typer.Exit(1 if done.refused else 0)


@app.command()
def delete(
    ctx: typer.Context,
    sessions: Sessions = None,
    prefix: Annotated[str | None, typer.Option(help="All whose id begins with this.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete sessions, named or all that begin alike, and say how many. Asks first."""
    server = named_server(ctx)
    if bool(sessions) == bool(prefix):
        raise typer.BadParameter("name sessions, or give a --prefix that is not empty")
    with server.client() as client:
        if prefix:
            deleted, refused = _delete_prefix(client, server.prefix + prefix, yes)
        else:
            _confirm(f"Delete {', '.join(map(repr, sessions or []))} {server.where}?", yes)
            deleted = library.delete_sessions(client, sessions or [], key_prefix=server.prefix)
            refused = 0
    if as_json:
        screen.print_json({"deleted": deleted, "refused": refused})
    left = f" Left alone: {plural(refused, 'key')} of another kind." if refused else ""
    screen.say(f"Deleted {plural(deleted, 'session')}.{left}")


@app.command()
def demo(ctx: typer.Context) -> None:
    """Run the tutorial and two conversations, under keys of their own that are removed again."""
    server: Server = ctx.obj
    with server.client() as client:
        demo_program.run(client, server.address)


def _delete_prefix(client: Any, key_prefix: str, yes: bool) -> tuple[int, int]:
    with scanning(client, "Looking for sessions") as progress:
        found = messages = 0
        for session in library.list_sessions(client, key_prefix, progress=progress):
            found += 1
            messages += session.messages
    if found:
        what = f"{plural(found, 'session')} ({plural(messages, 'message')})"
        _confirm(f"Delete {what} whose key begins with {key_prefix!r}?", yes)
    with screen.progress("Deleting sessions", found) as progress:
        done = library.delete_prefix(client, key_prefix, progress=progress)
    return done.sessions, done.refused


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # the input has ended
        typer.echo(err=True)
        raise
    if not sys.stdin.isatty():  # nobody pressed a key that ends the line
        typer.echo(err=True)
    if not agreed:
        raise typer.Abort
