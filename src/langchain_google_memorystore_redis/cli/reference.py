"""The reference of the command line, as Markdown, from what the commands declare to typer.

Strategy: `python -m langchain_google_memorystore_redis.cli.reference docs/cli.md` writes it between
the markers of that page; a test holds the page to it. The declarations are read, not the help that
typer makes of them, which differs from release to release.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo

from langchain_google_memorystore_redis.cli.app import app

BEGIN, END = "<!-- reference: begin -->\n", "<!-- reference: end -->\n"
_VALUES = {str: "TEXT", int: "NUMBER", float: "SECONDS", Path: "PATH"}

_Declared = tuple[inspect.Parameter, Any, ArgumentInfo | OptionInfo]


def reference() -> str:
    """The reference of all commands."""
    callback: Any = app.registered_callback
    parts = [_section("## Global options", callback.callback, "[OPTIONS] COMMAND [ARGS]...")]
    for command in app.registered_commands:
        function: Any = command.callback
        name = command.name or function.__name__
        arguments = [_name(one) for one in _declared(function) if isinstance(one[2], ArgumentInfo)]
        usage = " ".join([name, "[OPTIONS]", *arguments])
        parts.append(_section(f"## `memorystore-chat {name}`", function, usage))
    return "\n".join(parts)


def put_into(page: str) -> str:
    """The page with what is between its markers replaced."""
    head, rest = page.split(BEGIN)
    return head + BEGIN + reference() + END + rest.split(END)[1]


def _section(title: str, function: Callable[..., Any], usage: str) -> str:
    rows = "".join(map(_row, _declared(function)))
    table = f"\n| | |\n|---|---|\n{rows}" if rows else ""
    text = inspect.cleandoc(function.__doc__ or "")
    return f"{title}\n\n{text}\n\n```\nmemorystore-chat {usage}\n```\n{table}"


def _declared(function: Callable[..., Any]) -> Iterator[_Declared]:
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        parts: tuple[Any, ...] = get_args(parameter.annotation)
        for info in parts[1:]:
            if isinstance(info, (ArgumentInfo, OptionInfo)):
                yield parameter, parts[0], info


def _row(declared: _Declared) -> str:
    parameter, kind, info = declared
    text = info.help or ""
    if isinstance(info, OptionInfo) and parameter.default not in (None, False, ""):
        text += f" Default: {parameter.default}."
    if info.envvar:
        text += f" Environment: `{info.envvar}`."
    if isinstance(info, OptionInfo):
        return f"| {_option(declared)} | {text} |\n"
    among = f" {' or '.join(get_args(kind))}." if _origin(kind) is Literal else ""
    return f"| `{_name(declared)}` | {text}{among} |\n"


def _name(declared: _Declared) -> str:
    parameter, kind, info = declared
    name = info.metavar or parameter.name.upper()
    name += "..." if any(get_origin(one) is list for one in _choices(kind)) else ""
    return name if parameter.default is inspect.Parameter.empty else f"[{name}]"


def _option(declared: _Declared) -> str:
    parameter, kind, info = declared
    # In Annotated, typer's first argument, called default, is a name too.
    names = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)]
    names = names or [f"--{parameter.name.replace('_', '-')}"]
    shown = ", ".join(f"`{name}`" for decl in names for name in decl.split("/"))
    value = next((_VALUES[one] for one in _choices(kind) if one in _VALUES), "")
    if _origin(kind) is Literal:
        value = " or ".join(get_args(kind))
    return f"{shown} {value}".rstrip()


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def _choices(kind: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(kind) if _origin(kind) in (Union, UnionType) else (kind,)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(put_into(path.read_text(encoding="utf-8")), encoding="utf-8")
