"""`memorystore-chat` as a program: its processes, its help, its reference."""

from __future__ import annotations

import json
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from langchain_google_memorystore_redis._history.operations import Page
from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis.cli.follow import read_pages
from tests.plugins.shell import SCRIPT, Shell, environment, run

ROOT = Path(__file__).parents[2]
NAMED = ["--name", "memorystore-chat", "--title", "Command line reference"]


@pytest.fixture
def followed(plain: Shell) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """`show ada --follow` in a process of its own, and a way to wait for its next line."""
    command = [str(SCRIPT), *plain.options, "show", "ada", "--follow"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout
        lines: queue.Queue[str] = queue.Queue()

        def read_lines() -> None:
            for line in process.stdout or ():
                lines.put(line)

        reader = threading.Thread(target=read_lines)
        reader.start()
        try:
            yield process, lambda: lines.get(timeout=20).rstrip("\n")
        finally:
            process.kill()
            reader.join()


def test_show_follows_a_session_as_it_grows_and_is_cut(
    plain: Shell, followed: tuple[subprocess.Popen[str], Callable[[], str]]
) -> None:
    process, next_line = followed
    history = plain.history("ada")
    said: list[str] = []
    for text in ("one", "two", "two"):
        history.add_message(HumanMessage(text))
        said.append(next_line().split("\t")[2])
    assert said == ["one", "two", "two"]
    history.truncate(1)
    history.add_message(AIMessage("another"))
    assert next_line() == "-- the session was truncated or cleared --"
    assert next_line().split("\t")[1:] == ["assistant", "another"]
    history.add_message(HumanMessage("three"))
    assert next_line().split("\t")[1:] == ["user", "three"]
    process.terminate()  # not SIGINT, which a job in the background is started to ignore
    assert process.wait(timeout=20) == -signal.SIGTERM


def test_following_begins_with_the_last_messages_and_passes_over_trims(
    plain: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = plain.history("ada", max_messages=5)
    history.add_messages([HumanMessage(str(number)) for number in range(5)])
    more = iter(range(5, 30))
    steps = iter([3, 0, 5])

    def write_meanwhile(_: float) -> None:
        for _ in range(next(steps)):
            history.add_message(HumanMessage(str(next(more))))

    monkeypatch.setattr(time, "sleep", write_meanwhile)
    pages = read_pages(runners_for(plain.client)[0], history._ops, 2, follow=True)
    assert texts(next(pages)) == ["3", "4"]
    assert texts(next(pages)) == ["5", "6", "7"]
    assert next(pages) is None  # more was cut off than was kept
    assert texts(next(pages)) == ["8", "9", "10", "11", "12"]


def test_following_shows_what_is_new_after_a_cut_and_nothing_else(
    plain: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = plain.history("ada")
    history.add_messages([HumanMessage(str(number)) for number in range(6)])
    lengths = iter([5, 6, 2])

    def cut(_: float) -> None:
        history.truncate(next(lengths))
        history.add_messages([HumanMessage("another"), HumanMessage("more")])

    monkeypatch.setattr(time, "sleep", cut)
    pages = read_pages(runners_for(plain.client)[0], history._ops, 2, follow=True)
    assert texts(next(pages)) == ["4", "5"]
    for length in (5, 6):
        assert next(pages) is None
        page = next(pages)
        assert (texts(page), page and page.first) == (["another", "more"], length)
    assert next(pages) is None
    # Nothing is left of what was shown.
    assert texts(next(pages)) == ["0", "1", "another", "more"]


def test_following_keeps_no_message_that_was_shown(
    plain: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = plain.history("ada")
    rounds = 100

    def write(_: float) -> None:
        history.add_message(HumanMessage("x" * 100_000))

    monkeypatch.setattr(time, "sleep", write)
    pages = read_pages(runners_for(plain.client)[0], history._ops, 2, follow=True)
    next(pages)
    next(pages)
    tracemalloc.start()
    for _ in range(rounds):
        assert next(pages)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 10 * 100_000


def texts(page: Page | None) -> list[str]:
    assert page is not None
    return [json.loads(element)["data"]["content"] for element in page.elements]


def test_the_console_script_prints_data_to_stdout_only(plain: Shell) -> None:
    plain.history("ada").add_message(HumanMessage("hi"))
    done = subprocess.run(
        [SCRIPT, *plain.options, "list"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stdout.split("\t")[:2]) == (0, ["ada", "1"])
    assert done.stderr == f"1 session under {plain.prefix!r}\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("y\n", "Deleted 1 session."),
        ("n\n", "memorystore-chat: aborted, no further changes were made"),
        ("", "memorystore-chat: aborted, no further changes were made"),
    ],
)
def test_what_follows_a_question_stands_on_a_line_of_its_own(
    plain: Shell, answer: str, said: str
) -> None:
    plain.history("ada").add_message(HumanMessage("hi"))
    done = subprocess.run(
        [SCRIPT, *plain.options, "delete", "ada"],
        input=answer,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    question, *rest = done.stderr.splitlines()
    assert question.rstrip().endswith("? [y/N]:")
    assert rest == [said]


def test_a_reader_that_has_seen_enough_ends_it_quietly(plain: Shell) -> None:
    for number in range(300):
        plain.history(f"session-{number}").add_message(HumanMessage("hi"))
    with subprocess.Popen(
        [SCRIPT, *plain.options, "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() in ("", f"300 sessions under {plain.prefix!r}\n")


@pytest.mark.parametrize(
    "command",
    ["doctor", "list", "show a", "export", "import -", "migrate langchain-redis", "delete a -y"],
)
def test_without_a_server_it_works_on_none_and_says_what_to_give(command: str) -> None:
    done = run(*command.split(), MEMORYSTORE_EMBEDDED_DIR="")
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.search(r"--url.*REDIS_URL.*MEMORYSTORE_EMBEDDED_DIR", done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert run(command.split(maxsplit=1)[0], "--help", MEMORYSTORE_EMBEDDED_DIR="").exit_code == 0


@pytest.mark.process
def test_an_embedded_server_is_one_that_keeps_its_data_but_for_the_demo(tmp_path: Path) -> None:
    def call(folder: str, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, *args],
            input='{"messages": [{"role": "user", "content": "hi"}]}\n',
            capture_output=True,
            text=True,
            env={**environment(), "MEMORYSTORE_EMBEDDED_DIR": folder},
            check=False,
        )

    imported = call(str(tmp_path), "import", "-", "--format", "openai")
    assert (imported.returncode, imported.stderr) == (0, "Added 1 message in 1 session.\n")
    assert call(str(tmp_path), "list").stdout.startswith("conversation-1\t1\t")
    shown = call("", "demo")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "an embedded Valkey" in shown.stdout


@pytest.mark.process
@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_extra_it_says_what_to_install(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None;"
        "from langchain_google_memorystore_redis.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    expected = (
        f'memorystore-chat needs {missing}: pip install "langchain-google-memorystore-redis[cli]"\n'
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_help_names_every_command_and_version_is_short() -> None:
    helped = run("--help")
    for command in ("doctor", "list", "show", "export", "import", "migrate", "delete", "demo"):
        assert re.search(rf"\b{command}\b", helped.stdout)
    assert re.fullmatch(r"[\w.]+\n", run("--version").stdout)
    assert run().exit_code == 2


def test_help_and_version_import_neither_a_client_nor_langchain() -> None:
    code = (
        "import sys; from langchain_google_memorystore_redis.cli.app import app;"
        "print(sorted({'langchain_core', 'redis', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.skipif(
    f"typer=={version('typer')}\n" not in (ROOT / "requirements" / "dev.txt").read_text(),
    reason="releases of typer word the reference differently: the pinned one has written it",
)
def test_the_reference_is_what_make_cli_reference_writes() -> None:
    module = "langchain_google_memorystore_redis.cli.app"
    command = [sys.executable, "-m", "typer", module, "utils", "docs", *NAMED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    page = (ROOT / "docs" / "cli_reference.md").read_text(encoding="utf-8")
    assert done.stdout.rstrip() == page.rstrip()
    assert " ".join(map(shlex.quote, NAMED)) in (ROOT / "Makefile").read_text()
