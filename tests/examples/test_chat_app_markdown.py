"""The Markdown of the example application's page, run by node without a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.servers import _missing

MODULE = Path(__file__).parents[2] / "examples" / "chat_app" / "static" / "markdown.js"
# As data, because node takes a file for a module only in a package that says so.
PROGRAM = """
import { readFileSync } from "node:fs";
const [source, texts] = JSON.parse(readFileSync(0, "utf8"));
const module = `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
const { markdown } = await import(module);
console.log(JSON.stringify(texts.map(markdown)));
"""

Markdown = Callable[..., list[Any]]


@pytest.fixture
def markdown() -> Markdown:
    node = shutil.which("node") or _missing("node")

    def run(*texts: str, timeout: float = 60) -> list[Any]:
        done = subprocess.run(
            [node, "--input-type=module", "--eval", PROGRAM],
            input=json.dumps([MODULE.read_text(encoding="utf-8"), texts]),
            capture_output=True,
            text=True,
            check=True,
            timeout=timeout,
        )
        trees: list[Any] = json.loads(done.stdout)
        return trees

    return run


def paragraph(*children: Any) -> list[Any]:
    return [["p", {}, list(children)]]


def link(label: str, href: str) -> list[Any]:
    return ["a", {"href": href, "target": "_blank", "rel": "noopener noreferrer"}, [label]]


DRAWN: dict[str, list[Any]] = {
    "": [],
    "a\nb\n\nc": [*paragraph("a\nb"), *paragraph("c")],
    "a\r\nb\rc\u2028d": paragraph("a\nb\nc\nd"),
    "# A\n#### *B*\n##### C": [
        ["h3", {}, ["A"]],
        ["h3", {}, [["em", {}, ["B"]]]],
        *paragraph("##### C"),
    ],
    "- a\n  b\n* c\n1. d\n2) e": [
        ["ul", {}, [["li", {}, ["a", "\n", "b"]], ["li", {}, ["c"]]]],
        ["ol", {"start": 1}, [["li", {}, ["d"]], ["li", {}, ["e"]]]],
    ],
    "```py\n*x*\n\n# y\n```\nz": [
        ["pre", {}, [["code", {"data": {"language": "py"}}, ["*x*\n\n# y"]]]],
        *paragraph("z"),
    ],
    "```\nopen": [["pre", {}, [["code", {"data": {"language": ""}}, ["open"]]]]],
    "a `b` ``c`d`` `e": paragraph("a ", ["code", {}, ["b"]], " ", ["code", {}, ["c`d"]], " `e"),
    "*a* **b** ***c*** ****d****": paragraph(
        ["em", {}, ["a"]],
        " ",
        ["strong", {}, ["b"]],
        " ",
        ["em", {}, [["strong", {}, ["c"]]]],
        " ****d****",
    ),
    "**a *b* c**": paragraph(["strong", {}, ["a ", ["em", {}, ["b"]], " c"]]),
    "**a *b**": paragraph(["strong", {}, ["a *b"]]),
    "*a **b*": paragraph(["em", {}, ["a **b"]]),
    "*a **b": paragraph("*a **b"),
    "2 * 3 * 4, 2*3": paragraph("2 * 3 * 4, 2*3"),
    "2*3*4": paragraph("2", ["em", {}, ["3"]], "4"),
    "*`*`*": paragraph(["em", {}, [["code", {}, ["*"]]]]),
    "[a](https://b.example/c?d=e#f) [g](h)": paragraph(
        link("a", "https://b.example/c?d=e#f"), " [g](h)"
    ),
    "**[a](http://b)**": paragraph(["strong", {}, [link("a", "http://b")]]),
    "[[a](http://b)": paragraph("[", link("a", "http://b")),
}


def test_markdown_becomes_a_tree(markdown: Markdown) -> None:
    trees = dict(zip(DRAWN, markdown(*DRAWN), strict=True))
    assert trees == DRAWN


@pytest.mark.parametrize(
    "text",
    [
        "[a](javascript:alert(1))",
        "[a](JavaScript:alert(1))",
        "[a](data:text/html,<script>)",
        "[a](//evil.example)",
        "[a](http://b c)",
        "[a](vbscript:x) [a](file:///etc/passwd) [a](blob:http://b)",
        "<script>alert(1)</script><a href='javascript:x'>",
        "<http://b>",
    ],
)
def test_nothing_but_the_web_is_linked_and_html_is_text(markdown: Markdown, text: str) -> None:
    assert markdown(text) == [paragraph(text)]


LONG = 300_000
HOSTILE = [
    *("[", "[a", "[a](http://x", "[a](http://x(", "[a](", "](", "`", "`a", "*", "*a ", " *a"),
    *("**a ", "**a *b ", "*a**b", "a* ", "***a ", "*[a`", "- a\n", "1. a\n b\n", "\n\na", "```\n"),
    *("# ", "1", " ", "\t\u2028"),
]


def test_a_long_text_that_never_closes_what_it_opens_is_drawn(markdown: Markdown) -> None:
    texts = [(part * LONG)[:LONG] for part in HOSTILE]
    backticks = "a".join("`" * length for length in range(1, 770))
    texts += [
        backticks,
        "- " + "\t" * LONG + "\u0085\ry",
        "# " + " " * LONG + "x\u2028y",
        "```" + " " * LONG + "x",
    ]
    # Half a second for each that is linear, minutes if it is quadratic: the limit ends such a run.
    assert len(markdown(*texts, timeout=120)) == len(texts)
