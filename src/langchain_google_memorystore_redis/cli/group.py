"""Command group that reports every error as one line and an exit code.

Strategy: the line goes to stderr. Exit code 1 reports a failure, 2 a wrong command line.
"""

# ruff: noqa: PLC0415  (explaining an error imports redis-py, which takes time)

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

# QUIRK(typer): exports no UsageError, and takes click's from a place that differs between
# releases. Remove when typer.UsageError exists.
UsageError: Any = typer.BadParameter.__mro__[1]


class CommandGroup(TyperGroup):
    """Group of commands whose errors end the program with one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the program and exit."""
        del standalone_mode, windows_expand_args
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except UsageError as error:
            if not str(error):  # no command: help has been printed
                sys.exit(2)
            from langchain_google_memorystore_redis.cli.errors import explain_usage

            typer.echo(explain_usage(error), err=True)
            sys.exit(error.exit_code)
        except (typer.Abort, KeyboardInterrupt):
            typer.echo("memorystore-chat: aborted, no further changes were made", err=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit with code 1 if it raises."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader, such as `head`, has closed the pipe; flushing at exit must not fail too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort, UsageError):
            raise
        except Exception as error:
            from langchain_google_memorystore_redis.cli.errors import explain

            typer.echo(f"memorystore-chat: {explain(error)}", err=True)
            raise typer.Exit(1) from error
