"""What the pages say to do: links lead somewhere, commands run. Python blocks are run elsewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.plugins.shell import run
from tests.servers.processes import Server

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("examples/**/*.md")]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


def commands(page: Path, url: str) -> list[list[str]]:
    """What a page calls this program with, on one server and without waiting for a person."""
    text = page.read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    blocks = re.sub(r"redis://[\w.:-]+|rediss://\S+ --ca-certs \S+", url, blocks)
    blocks = re.sub(r" --follow| \|.*| --yes", "", blocks)
    lines = re.findall(r"^memorystore-chat (.*)", blocks, re.MULTILINE)
    called = [shlex.split(line, comments=True) for line in lines]
    return [[*args, "--yes"] if "delete" in args else args for args in called]


@pytest.mark.parametrize(
    "name", ["README.md", "docs/cli.md", "docs/how-to/forgetting.md", "docs/how-to/moving.md"]
)
def test_the_commands_of_a_page_run_one_after_the_other(
    json_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    message = '{"type": "human", "data": {"content": "hi"}}'
    for key in ("chat:ada", "chat:user-42:1", "message_store:ada"):
        json_server.cli("RPUSH", key, message)
    called = commands(ROOT / name, json_server.url)
    assert called
    for args in called:
        done = run(*args, REDIS_URL=json_server.url)
        assert done.exit_code == 0, (args, done.stderr)
