"""The structure of the code: what a reader may rely on without reading all of it.

Strategy: the source is parsed, never run. Each rule of the house is one test, and a rule that
names modules or methods says so in a table at the top.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import langchain_google_memorystore_redis as package

ROOT = Path(package.__file__).parent
TESTS = Path(__file__).parent
NAME = package.__name__
MODULES = {
    str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path
    for path in sorted(ROOT.rglob("*.py"))
}
LUA = sorted(ROOT.rglob("*.lua"))

SHARED = {"_codec", "_filters", "_vectors"}
"""Rooms that every wing may use."""
WINGS = {"_cache", "_connect", "_history", "_sessions", "_checkpoint", "_documents", "_store"}
"""Folders that hold one feature each."""
LEGACY_PATHS = {"chat_message_history", "loader", "saver", "vectorstore", "version"}
"""Module paths of release 0.3.0."""
ROOT_MODULES = {"__init__", "demo", "errors", "sessions"} | LEGACY_PATHS
BETWEEN_WINGS = {
    "_sessions": {"_history"},
    "_checkpoint": {"_connect.owned"},
    "_store": {"_connect.owned"},
}
DOORS = {
    "_cache.llm",
    "_cache.nodes",
    "_history.history",
    "_history.middleware",
    "_checkpoint.saver",
    "_connect.connect",
    "_documents.vectorstore",
    "_documents.retrieval",
    "_documents.legacy",
    "_documents.loader",
    "_store.store",
}
"""Modules of the public classes and functions."""
LANGCHAIN_ADAPTERS = {*DOORS, "_checkpoint.configs", "_store.conversions"}
"""Private modules that may know more of LangChain and LangGraph than messages."""
PURE_ROLES = r"(operations\w*|pages|delta|keys|formats|origins|codec|configs)"
PURE_LANGCHAIN = ("langchain_core.messages", "langchain_core.documents", "langchain_core.outputs")

QUIRKS = {
    ("_connect/client", "redis-py<6"),
    ("_connect/client", "redis-py<6.2"),
    ("_connect/client", "redis-py<8"),
    ("_connect/client", "redis-py<=8.1"),
    ("_connect/clusters", "redis-py<=8.1"),
    ("_connect/connections", "redis-py<8.1"),
    ("_connect/connections", "redis-py<=8.1"),
    ("_connect/retry", "redis-py<8"),
    ("_connect/retry", "redis-py<=8.1"),
    ("_connect/tls", "redis-py<6"),
    ("_history/lua/_entries", "redis<6.0.6"),
    ("_redis/lua/_report_errors", "redis<7"),
    ("_redis/replies", "hiredis<=3.5"),
    ("_redis/pools", "redis-py<=8.1"),
    ("_redis/replies", "redis<6"),
    ("_redis/runners", "redis-py<=8.1"),
    ("_redis/scan", "redis<6"),
    ("cli/app", "typer<=0.26.0"),
    ("cli/group", "typer"),
}
"""Module or script, and the server or library that each workaround in it is for."""

# Parsed at import: CPython 3.11 fails to parse while the collector runs finalizers of clients.
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports_of(module: str) -> set[str]:
    """The absolute names of all modules that a module imports, wherever it does."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def own_imports_of(module: str) -> set[str]:
    """The modules of this package that a module imports, by their name inside it."""
    inner = {name.removeprefix(f"{NAME}.") for name in imports_of(module) if name.startswith(NAME)}
    return {name for name in inner if name in MODULES}


def folder_of(module: str) -> str:
    return module.partition(".")[0] if "." in module else ""


def docstrings_of(tree: ast.AST) -> Iterator[ast.Expr]:
    """Docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for child in body if isinstance(body, list) else ():
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                if isinstance(child.value.value, str):
                    yield child


def lines_without_docstrings(node: ast.AST, length: int) -> int:
    prose = sum((each.end_lineno or 0) - each.lineno + 1 for each in docstrings_of(node))
    return length - prose


def is_pure(module: str) -> bool:
    """Whether a module holds no client and awaits nothing."""
    kinds = {type(node) for node in ast.walk(TREES[module])}
    return not (
        {name.partition(".")[0] for name in imports_of(module)}
        & {"redis", "valkey", "asyncio", "socket"}
        or kinds & {ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith}
    )


def allowed_below(module: str) -> set[str]:
    """Folders and modules that a module may import; its own folder aside."""
    folder = folder_of(module)
    below = {"errors"}
    if folder != "_redis" and module != "errors":
        below |= {"_redis"}
    if folder in WINGS or folder == "cli" or not folder:
        below |= SHARED
    if folder in WINGS:
        below |= BETWEEN_WINGS.get(folder, set())
    if folder == "cli" or (not folder and module != "errors"):
        below |= WINGS | ROOT_MODULES
    return below


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down_only(module: str) -> None:
    allowed = allowed_below(module) | {folder_of(module)} - {""}
    for imported in own_imports_of(module):
        assert {imported, folder_of(imported)} & allowed, f"{module} imports {imported}"


@pytest.mark.parametrize("module", [name for name in MODULES if folder_of(name) == "cli"])
def test_the_command_line_uses_doors_and_pure_modules_of_wings(module: str) -> None:
    for imported in own_imports_of(module):
        if folder_of(imported) in WINGS:
            assert imported in DOORS or is_pure(imported), f"{module} imports {imported}"


def test_only_the_command_line_imports_the_demo_and_only_when_it_runs_it() -> None:
    importers = {name for name in MODULES if "demo" in own_imports_of(name)}
    assert importers <= {"cli.app"}
    for node in TREES["cli.app"].body:
        assert "demo" not in {
            alias.name
            for each in [node]
            if isinstance(each, ast.ImportFrom)
            for alias in each.names
        }


def test_every_folder_and_root_module_has_a_place_in_the_house() -> None:
    folders = {folder_of(name) for name in MODULES} - {""}
    assert folders == {"_redis", "cli"} | SHARED | WINGS
    assert {name for name in MODULES if "." not in name} == ROOT_MODULES


@pytest.mark.parametrize("module", MODULES)
def test_only_adapters_know_more_of_langchain_than_messages(module: str) -> None:
    if not module.startswith("_") or module in {*LANGCHAIN_ADAPTERS, "__init__"}:
        return
    for name in imports_of(module):
        if re.match(r"langchain(?!_google_memorystore_redis)|langgraph", name):
            assert name.startswith(PURE_LANGCHAIN), f"{module} imports {name}"


def test_only_the_class_that_implements_it_knows_what_langchain_removes() -> None:
    knowing = {
        name
        for name in MODULES
        if any(each.startswith("langchain_core.chat_history") for each in imports_of(name))
    }
    assert knowing == {"_history.history"}


@pytest.mark.parametrize(
    "module",
    [name for name in MODULES if folder_of(name) in SHARED or re.search(rf"\.{PURE_ROLES}$", name)],
)
def test_pure_modules_hold_no_client_and_await_nothing(module: str) -> None:
    assert is_pure(module)


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short_and_begin_with_their_strategy(module: str) -> None:
    length = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines_without_docstrings(TREES[module], length) <= 300
    doc = ast.get_docstring(TREES[module]) or ""
    if not module.endswith("__init__"):
        assert "Strategy:" in doc
        strategy = doc.partition("Strategy:")[2].partition("\n\n")[0]
        assert len(re.findall(r"[.!?](?=\s|$)", strategy)) <= 3, f"{module}: a long Strategy"


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_short(module: str) -> None:
    for node in ast.walk(TREES[module]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert lines_without_docstrings(node, length) <= 40, f"{module}.{node.name}"


@pytest.mark.parametrize("module", MODULES)
def test_no_docstring_begins_as_a_riddle(module: str) -> None:
    riddle = re.compile(r"(What|Whether|How|Which|That|One|Who|Where|Behind|As|Of|Or)\b")
    for docstring in docstrings_of(TREES[module]):
        text = ast.literal_eval(docstring.value)
        assert not riddle.match(text.strip()), f"{module}:{docstring.lineno}: {text[:60]!r}"


@pytest.mark.parametrize("path", LUA, ids=lambda path: f"{path.parts[-3]}.{path.stem}")
def test_a_lua_file_is_short_and_begins_with_its_interface(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    assert len(text.splitlines()) <= 60
    assert path.parent.name == "lua"
    if path.stem.startswith("_"):
        return
    header = text.split("\n\n")[0]
    assert "-- KEYS[1]" in header
    assert "-- Returns" in header
    keys_built = re.findall(r"redis\.p?call\(\S+, (?!KEYS\[|key\b)", text)
    assert keys_built == []


@pytest.mark.parametrize("path", LUA, ids=lambda path: f"{path.parts[-3]}.{path.stem}")
def test_a_script_is_used_by_the_wing_that_holds_it(path: Path) -> None:
    wing = path.parts[-3]
    sources = [text.read_text("utf-8") for name, text in MODULES.items() if folder_of(name) == wing]
    assert any(f'"{path.stem}"' in source for source in sources)


def test_workarounds_are_tagged_and_listed() -> None:
    found = set()
    for path in [*MODULES.values(), *LUA]:
        text = path.read_text(encoding="utf-8")
        where = str(path.relative_to(ROOT).with_suffix(""))
        for match in re.finditer(r"(?:#|--) QUIRK\(([^)]+)\): (.+(?:\n *(?:#|--) .+)*)", text):
            found.add((where, match[1]))
            assert "Remove when" in match[2], f"{where}: {match[0]}"
        untagged = re.sub(r"(?:#|--) QUIRK\(.+(?:\n *(?:#|--) .+)*", "", text)
        assert "QUIRK" not in untagged, where
        assert "Remove when" not in untagged, where
    assert found == QUIRKS


def test_tests_lie_where_the_code_lies() -> None:
    folders = {path.name for path in TESTS.iterdir() if (path / "__init__.py").exists()}
    assert {name.strip("_") for name in WINGS | SHARED | {"_redis", "cli"}} <= folders
