"""What reaches a terminal: nothing stored may act on it, and a pipe or file gets every byte.

Commands run on a pseudoterminal, as an operator's do.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, ToolMessage

from langchain_google_memorystore_redis import sessions
from tests.plugins.shell import SCRIPT, Shell, environment

STYLE = re.compile(r"\x1b\[[0-9;]*m")
ACTING = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f]|\r(?!\n)"
)
"""Controls, and what changes the direction of text; not the end of a line on a terminal."""

RAW = "\x1b]0;title\x07 \x1b[2J \x9b31m \x9d8;;http://evil.example\x9c \x7f \r over \x85 \u2028 "
BIDI = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
DECODED = (
    "&#x202e;entity &#8297; &#27;]0;title&#7; <http://evil.example/%1b]0;title%07> "
    "<http://evil.example/%C2%9B31m%E2%80%AE> ![i](http://evil.example/%C2%9B) &#x2028;"
)
"""What Markdown decodes."""

HOSTILE = f"a{RAW}{BIDI}\x00z"


@pytest.fixture
def hostile(plain: Shell) -> Shell:
    call = [{"name": HOSTILE, "args": {HOSTILE: HOSTILE}, "id": "1"}]
    messages: list[BaseMessage] = [
        HumanMessage(HOSTILE),
        ChatMessage(content=HOSTILE, role=f"{HOSTILE}\n\tuser"),
        AIMessage(HOSTILE, tool_calls=call),
        ToolMessage(HOSTILE, tool_call_id="1", name=HOSTILE),
        AIMessage(DECODED),
        AIMessage(f"| a |\n|---|\n| {DECODED} |\n\n```{HOSTILE}\n{HOSTILE}\n```\n# {DECODED}"),
        AIMessage(f"[{HOSTILE}](http://evil.example 'title')"),
    ]
    for name in ("ada", HOSTILE):
        history = plain.history(name)
        history.add_messages(messages)
        plain.client.rpush(history.key, f"torn {HOSTILE}")
    return plain


def on_terminal(*command: str, stdin: str = "") -> str:
    """What a command prints on a terminal, stdout and stderr."""
    master, terminal = pty.openpty()
    read: list[bytes] = []

    def reader() -> None:
        try:
            while part := os.read(master, 65_536):
                read.append(part)
        except OSError:  # the end, on Linux
            return

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        subprocess.run(
            [str(SCRIPT), *command],
            input=stdin.encode(),
            stdout=terminal,
            stderr=terminal,
            env=environment(),
            check=False,
            timeout=60,
        )
    finally:
        os.close(terminal)
        thread.join(20)
        os.close(master)
    return b"".join(read).decode()


COMMANDS: dict[str, list[str]] = {
    "list": ["list"],
    "list --json": ["list", "--json"],
    "show": ["show", "ada"],
    "show --json": ["show", "ada", "--json"],
    "show an id": ["show", HOSTILE.replace("\x00", "")],
    "export": ["export"],
    "export -o": ["export", "-o", "/dev/stdout"],
    "export -o tty": ["export", "-o", "/dev/stderr"],
    "export nothing": ["export", "x\x1b]0;t\x07\u202e"],
    "export --format openai": ["export", "ada", "--format", "openai"],
    "delete": ["delete", "x\x1b]0;t\x07\u202e"],
    "doctor": ["doctor"],
    "a wrong option": ["show", "--x\x1b]0;t\x07\u202e"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_stored_acts_on_a_terminal(hostile: Shell, name: str) -> None:
    printed = on_terminal(*hostile.options, *COMMANDS[name], stdin="n\n")
    assert len(printed) > 50
    assert ACTING.findall(STYLE.sub("", printed)) == []


def test_a_prefix_and_a_server_that_are_hostile_are_shown_as_text(hostile: Shell) -> None:
    for options in (
        ["--url", "x\x1b]0;t\x07\u202e:1", "list"],
        [*hostile.options[:2], "--prefix", "x\x1b]0;t\x07\u202e", "list"],
    ):
        assert ACTING.findall(STYLE.sub("", on_terminal(*options))) == []


def test_show_makes_no_links_and_leaves_nothing_out(plain: Shell) -> None:
    text = (
        "**A** [bank](http://evil.example/x) <http://evil.example/y> ![z](http://evil.example/z) "
        "&lt; <b>bold</b> <!-- c -->\n\n<div>\nhtml\n</div>\n\n[ref]: http://evil.example/r"
    )
    plain.history("ada").add_message(AIMessage(text))
    printed = on_terminal(*plain.options, "show", "ada")
    assert "\x1b]" not in printed
    assert " ".join(STYLE.sub("", printed).split()).partition(" assistant ")[2] == (
        "A bank (http://evil.example/x) <http://evil.example/y> !z (http://evil.example/z) "
        "&lt; <b>bold</b> <!-- c --> <div> html </div> [ref]: http://evil.example/r"
    )


def test_an_export_on_a_terminal_is_json_of_the_same_messages(hostile: Shell) -> None:
    printed = on_terminal(*hostile.options, "export", "ada")
    piped = hostile("export", "ada").stdout
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    assert [json.loads(line) for line in lines] == [
        json.loads(line) for line in piped.split("\n")[:-1]
    ]
    sessions.delete_prefix(hostile.client, hostile.prefix)
    done = hostile("import", "-", stdin="".join(f"{line}\n" for line in lines))
    assert done.stderr == "Added 8 messages in 1 session.\n"
    assert hostile.history("ada")[0] == HumanMessage(HOSTILE)


@pytest.fixture(params=["pipe", "file", "-o file"])
def exported(request: pytest.FixtureRequest, hostile: Shell, tmp_path: Path) -> Iterator[bytes]:
    command = [str(SCRIPT), *hostile.options, "export", "ada"]
    file = tmp_path / "file"
    if request.param == "pipe":
        yield subprocess.run(command, capture_output=True, env=environment(), check=True).stdout
    elif request.param == "file":
        with file.open("wb") as out:
            subprocess.run(command, stdout=out, env=environment(), check=True)
        yield file.read_bytes()
    else:
        subprocess.run([*command, "-o", str(file)], env=environment(), check=True)
        yield file.read_bytes()


def test_a_pipe_or_file_gets_every_byte(hostile: Shell, exported: bytes) -> None:
    elements = [bytes(each) for each in hostile.client.lrange(f"{hostile.prefix}ada", 0, -2)]
    for line, element in zip(exported.splitlines()[:-1], elements, strict=True):
        assert line.endswith(b'"element": ' + element + b"}")
    assert BIDI.encode() in exported
    assert "\x9b31m".encode() in exported


def test_a_line_of_a_pipe_cannot_be_faked(hostile: Shell) -> None:
    lines = hostile("show", "ada").stdout.splitlines()
    starts = [line.split("\t") for line in lines if not line.startswith("\t")]
    assert len(starts) == 8
    assert all(re.fullmatch(r"20\S+Z|-", fields[0]) for fields in starts)
    assert {fields[1] for fields in starts} >= {"user", "assistant", "unreadable"}
    listed = [line.split("\t") for line in hostile("list").stdout.splitlines()]
    assert [len(fields) for fields in listed] == [6, 6]


def test_ids_that_look_alike_are_told_apart(plain: Shell) -> None:
    ids = ["ada", "ada\u200b", "ada\ufeff", "a\u200eda", "a\u00adda", "ada\u00a0", "\u061cada"]
    for name in ids:
        plain.history(name).add_message(HumanMessage("hi"))
    for shown in (
        [line.split("\t")[0] for line in plain("list").stdout.splitlines()],
        [line.split()[0] for line in on_terminal(*plain.options, "list").splitlines()[1:-1]],
    ):
        assert sorted(shown) == sorted(
            [r"ada", r"ada\u200b", r"ada\ufeff", r"a\u200eda", r"a\xadda", r"ada\xa0", r"\u061cada"]
        )


def test_writing_that_needs_invisible_characters_is_left_alone(plain: Shell) -> None:
    text = "\u0645\u06cc\u200c\u062e \U0001f468\u200d\U0001f469 \u05d0\u200f! \u200e1 \u00ad"
    plain.history("ada").add_message(HumanMessage(text))
    assert text in plain("show", "ada").stdout
    assert text in STYLE.sub("", on_terminal(*plain.options, "show", "ada"))
