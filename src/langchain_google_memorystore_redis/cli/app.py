"""Application `memorystore-chat`: its global options and commands.

Strategy: the global options name the server and the prefix. A command imports what takes time when
it runs, so that `--help` and `--version` import neither redis-py nor LangChain.
"""

# ruff: noqa: PLC0415  (`--help` and `--version` import neither redis-py nor LangChain)
from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from langchain_google_memorystore_redis.cli import deletion, inspection, transfer
from langchain_google_memorystore_redis.cli.group import CommandGroup
from langchain_google_memorystore_redis.cli.server import Server

app = typer.Typer(
    cls=CommandGroup,
    name="memorystore-chat",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(version("langchain-google-memorystore-redis"))
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="REDIS_URL",
            help="Server: host:port, or a redis://, rediss:// (TLS) or unix:// URL.",
        ),
    ] = None,
    prefix: Annotated[str, typer.Option(help="Key prefix of the sessions.")] = "",
    cluster: Annotated[
        bool | None,
        typer.Option(
            "--cluster/--no-cluster", help="Say whether it is a cluster; detected by default."
        ),
    ] = None,
    iam: Annotated[bool, typer.Option("--iam", help="Log in with Google IAM.")] = False,
    ca_certs: Annotated[
        Path | None, typer.Option(help="File of the certificate authorities to trust.")
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Manage chat sessions in Memorystore for Redis, Redis Cluster and Valkey.

    Prints data to stdout, messages and progress to stderr.
    Exit codes: 0 success, 1 failure or a problem found, 2 wrong command line.
    """
    source = ctx.get_parameter_source("url")
    if source and source.name == "COMMANDLINE":
        url_source = "--url"
    else:
        # QUIRK(typer<=0.26.0): shows the variable in its help, but takes no value from it.
        # Remove when requirements/lowest.txt has a later one.
        url, url_source = os.environ.get("REDIS_URL") or None, "REDIS_URL"
    ctx.obj = Server(url, prefix, cluster, iam, ca_certs, url_source)


def demo(ctx: typer.Context) -> None:
    """Run the tutorial and two conversations.

    Uses keys of its own, and deletes them again.
    """
    from langchain_google_memorystore_redis import demo as program

    server: Server = ctx.obj
    with server.client() as client:
        program.run(client, server.address)


app.command()(inspection.doctor)
app.command("list")(inspection.list_sessions)
app.command()(inspection.show)
app.command("export")(transfer.export_sessions)
app.command("import")(transfer.import_sessions)
app.command()(transfer.migrate)
app.command()(deletion.delete)
app.command("clear-cache")(deletion.clear_cache)
app.command()(demo)
