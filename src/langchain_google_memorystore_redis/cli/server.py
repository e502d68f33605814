"""The server that the global options name, and what its errors mean to an operator.

Strategy: the one place of the command line that makes a client. Errors end as one line on stderr:
what happened, and what to do where that is known.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
import typer
from typer.core import TyperGroup

from langchain_google_memorystore_redis._connect.connect import connect
from langchain_google_memorystore_redis._history.transcript import visible
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import PRIMARIES, Flow, Op, ask
from langchain_google_memorystore_redis.cli.screen import progress
from langchain_google_memorystore_redis.demo import EMBEDDED
from langchain_google_memorystore_redis.errors import InvalidArgumentError, MemorystoreError

# Where typer has click's errors from differs between its releases.
_UsageError: Any = typer.BadParameter.__mro__[1]
_EXPECTED = (
    MemorystoreError,
    redis.RedisError,
    redis.exceptions.RedisClusterException,
    OSError,
    ValueError,
    ImportError,
)

_ADVICE = {
    "luster mode is not enabled": "Leave out --cluster.",
    "CERTIFICATE_VERIFY_FAILED": (
        "Give the server's authorities by --ca-certs; where its certificate does not name the "
        "host, the URL may end in ?ssl_check_hostname=false."
    ),
    "JSON.GET": (
        "This server has no JSON module. Save the documents in a file, one in a line, and run "
        "`memorystore-chat import --format langchain-redis FILE`."
    ),
    # Redis 5, and later: it means the password that was sent.
    "no password is set": "Leave the password out: this server has none.",
    "without any password configured": "Leave the password out: this server has none.",
}
"""What to do, by what the error says."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the sessions are."""

    url: str | None
    prefix: str
    cluster: bool | None = None
    iam: bool = False
    ca_certs: Path | None = None
    url_from: str = "--url"
    """What gave the URL, as errors name it."""

    @property
    def address(self) -> str:
        """The server without user and password, which no output may hold."""
        if not self.url:
            return EMBEDDED
        try:
            return _address_of(self.url)
        except ValueError:
            return f"the server of {self.url_from}"

    @property
    def where(self) -> str:
        """The place of the sessions, in words."""
        return f"under {self.prefix!r}" if self.prefix else "(no prefix)"

    @contextmanager
    def client(self, url: str | None = None) -> Iterator[Any]:
        """A client of this server; or of the one at `url`, which may be of another kind."""
        try:
            if url is None:
                made = connect(self.url, cluster=self.cluster, iam=self.iam, ca_certs=self.ca_certs)
            else:
                made = connect(url, ca_certs=self.ca_certs if url.startswith("rediss:") else None)
        except InvalidArgumentError as error:
            if error.argument != "url_or_endpoint":
                raise
            problem = str(error).removeprefix(error.argument + " ")
            name = self.url_from if url is None else "--source-url"
            raise InvalidArgumentError(name, problem) from None
        try:
            yield made
        finally:
            made.close()


def named_server(ctx: typer.Context) -> Server:
    """The server of the global options; one that nobody names is refused.

    It would be an embedded one that ends with this command, and all that was done on it.
    """
    server: Server = ctx.obj
    if not server.url and not os.environ.get("MEMORYSTORE_EMBEDDED_DIR"):
        raise _UsageError(
            "No server is named: give --url before the command, or set REDIS_URL, or "
            "MEMORYSTORE_EMBEDDED_DIR for an embedded server that keeps its data there",
            ctx.parent,
        )
    return server


@contextmanager
def scanning(client: Any, what: str) -> Iterator[Callable[[int], None]]:
    """A progress bar for a look at all keys of the server.

    Raises ValueError where only one node of a cluster would be looked at.
    """
    try:
        infos = runners_for(client)[0].run(ask_primaries())
    except redis.ResponseError:  # INFO is not allowed: then a bar without an end
        infos = []
    if is_node_of_cluster(client, infos):
        raise ValueError("this is one node of a cluster. Pass --cluster.")
    databases = (value for info in infos for name, value in info.items() if name[:2] == "db")
    keys = sum(value["keys"] for value in databases if isinstance(value, Mapping))
    with progress(what, keys or None) as advance:
        yield advance


def ask_primaries() -> Flow[list[Mapping[str, Any]]]:
    """What INFO says at each primary."""
    nodes = yield PRIMARIES
    infos = []
    for node in nodes:
        info = yield from ask(Op(("INFO",), _parsed, node=node))
        infos.append(info)
    return infos


def is_node_of_cluster(client: Any, infos: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the client talks to a cluster as if it were one server."""
    plain = not hasattr(client, "get_primaries")
    return plain and any(info.get("cluster_enabled") for info in infos)


def _parsed(reply: Any) -> Mapping[str, Any]:
    if not isinstance(reply, Mapping):  # clients turn the text into a dict
        raise TypeError(f"INFO was answered with {type(reply).__name__}")
    return reply


def _address_of(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"//{url}")
    host, port = parts.hostname or "localhost", parts.port or 6379
    host = f"[{host}]" if ":" in host else host
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{host}:{port}{parts.path}"


class OneLineErrors(TyperGroup):
    """Turns what goes wrong into one line on stderr: exit code 1, or 2 for the command line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the program."""
        del standalone_mode, windows_expand_args
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except _UsageError as error:
            if not str(error):  # no command: help has been printed
                sys.exit(2)
            where = error.ctx.command_path if error.ctx else "memorystore-chat"
            problem = _sentence(_one_line(error.format_message()) + _misplaced(error))
            typer.echo(f"{where}: {problem} See {where} --help.", err=True)
            sys.exit(error.exit_code)
        except (typer.Abort, KeyboardInterrupt):
            typer.echo("memorystore-chat: aborted, nothing more was done", err=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # `| head` has seen enough. Python would complain when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort, _UsageError):
            raise
        except Exception as error:
            # Whatever the client, the files or an authentication library raise.
            typer.echo(f"memorystore-chat: {explain(error)}", err=True)
            raise typer.Exit(1) from error


def explain(error: Exception) -> str:
    """An error in one line, with what to do about it."""
    said = _one_line(str(error))
    if not said or not isinstance(error, _EXPECTED):
        said = f"{type(error).__name__} {said}".strip()
    advice = _advice(error, said)
    return f"{_sentence(said)} {advice}" if advice else said


def _misplaced(error: Any) -> str:
    """What to do with a global option that follows the command."""
    option = getattr(error, "option_name", None)
    above = error.ctx.parent.command.params if error.ctx and error.ctx.parent else ()
    if option and any(option in (*one.opts, *one.secondary_opts) for one in above):
        return f"; {option} goes before the command"
    return ""


def _one_line(text: str) -> str:
    return " ".join(visible(text).split())


def _sentence(text: str) -> str:
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def _advice(error: Exception, said: str) -> str:
    if type(error).__name__ == "MovedError":
        return "This is one node of a cluster. Pass --cluster."
    for words, advice in _ADVICE.items():
        if words in said:
            return advice
    if isinstance(error, redis.AuthenticationError):
        return (
            "The URL takes a password, redis://:password@host:port, or a user and a password, "
            "redis://user:password@host:port; rediss:// is with TLS."
        )
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
        return (
            "Is the server at --url (or REDIS_URL) running, may this machine reach it, and does it "
            "speak TLS (rediss://) or not (redis://)?"
        )
    return ""
