"""Transcripts of sessions for people, in terminals and notebooks.

Strategy: a message becomes a `Turn`, plain text in parts, and a `Transcript` of turns is written as
HTML or for rich. The text of a message is only ever shown as text: HTML is escaped, links are not
made, and characters that act on a terminal, or on the direction of text, are made visible. No I/O;
rich is imported by callers that have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

_KINDS: tuple[tuple[type[BaseMessage], str], ...] = (
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (ToolMessage, "tool"),
    (FunctionMessage, "tool"),
    (SystemMessage, "system"),
)
COLOURS = {"user": "green", "assistant": "magenta", "tool": "yellow", "system": "cyan"}
"""By kind of turn, in names that rich and HTML share."""

# Characters that act on a terminal, end lines or change the direction of text, and what is shown
# for them. Other invisible ones stay, since writing needs them: joiners in Persian and emoji, marks
# of direction in Hebrew and Arabic.
_SHOWN = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
_SHOWN |= {0x7F: 0x2421, 0x2028: 0x2424, 0x2029: 0x2424}
_SHOWN |= dict.fromkeys(
    (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x2070)), 0xFFFD
)
_ESCAPED = {code: f"\\u{code:04x}" for code in _SHOWN}


@dataclass(frozen=True, slots=True)
class Turn:
    """Message of a transcript, as plain text in parts."""

    speaker: str
    kind: str
    """"user", "assistant", "tool", "system", or "other"."""
    text: str
    calls: tuple[str, ...] = ()
    """Tool calls, such as `weather(city="Zurich")`."""
    written_at: datetime | None = None

    @classmethod
    def of(cls, message: BaseMessage, written_at: datetime | None = None) -> Turn:
        """Create the turn of a message."""
        kind = next((kind for base, kind in _KINDS if isinstance(message, base)), "other")
        speaker = message.role if isinstance(message, ChatMessage) else kind
        if kind == "other" and not isinstance(message, ChatMessage):
            speaker = message.type
        elif kind == "tool" and message.name:
            speaker = message.name
        text = _text(message.content)
        if isinstance(message, ToolMessage) and message.status == "error":
            text = f"failed: {text}"
        calls = tuple(map(visible, _calls(message)))
        return cls(visible_line(speaker), kind, visible(text), calls, written_at)

    @classmethod
    def unreadable(cls, problem: str) -> Turn:
        """Create the turn of an element that is no message."""
        return cls("unreadable", "other", visible(problem))

    @property
    def lines(self) -> tuple[str, ...]:
        """The text, marked if it is a tool's result, and a line for each tool call."""
        text = f"← {self.text}" if self.kind == "tool" else self.text
        calls = tuple(f"→ {call}" for call in self.calls)
        return (text, *calls) if text or not calls else calls


@dataclass(frozen=True, slots=True)
class Transcript:
    """The newest turns of a session."""

    title: str
    turns: tuple[Turn, ...] = ()
    earlier: int = 0
    """Number of messages before them."""
    problem: str | None = None
    """Reason why they could not be read."""

    @property
    def notes(self) -> str:
        """Line above the turns."""
        if self.problem is not None:
            return self.problem
        if not self.turns:
            return "no messages"
        total = self.earlier + len(self.turns)
        count = f"{total:,} message{'s' if total > 1 else ''}"
        return f"{count}, the last {len(self.turns)} shown" if self.earlier else count


def visible(text: str) -> str:
    """Return the text with characters that act made visible, except line ends and tabs."""
    return text.replace("\r\n", "\n").translate(_SHOWN).encode(errors="replace").decode()


def visible_line(text: str) -> str:
    """Return a name, such as a session id, in one line with everything invisible escaped."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in visible(text)
    )


def visible_json(line: bytes) -> bytes:
    """Return JSON of the same meaning with characters that act escaped, but not the line's end."""
    return line.decode(errors="replace").translate(_ESCAPED).encode()


def to_html(transcript: Transcript) -> str:
    """Return a transcript as HTML for a notebook with a light or dark theme."""
    rows = "".join(map(_html_row, transcript.turns))
    return (
        '<div style="font-family:sans-serif;max-width:60em">'
        f"<div><b>{escape(visible_line(transcript.title))}</b> "
        f'<span style="opacity:.7">{escape(visible(transcript.notes))}</span></div>'
        f'<table style="border:0">{rows}</table></div>'
    )


def to_rich(transcript: Transcript, markdown: bool = False) -> Any:
    """Return a transcript for rich; `markdown` renders the assistant's text as Markdown."""
    from rich.console import Group  # noqa: PLC0415  (an extra; callers have it)
    from rich.text import Text  # noqa: PLC0415

    title = Text.assemble(
        (visible_line(transcript.title), "bold"), " ", (visible(transcript.notes), "dim")
    )
    turns = (rich_turn(turn, markdown) for turn in transcript.turns)
    return Group(title, *turns)


def to_text(turn: Turn) -> str:
    """Return a turn as time in UTC, speaker and text, separated by tabs."""
    time = f"{turn.written_at:%Y-%m-%dT%H:%M:%SZ}" if turn.written_at else "-"
    text = "\n".join(turn.lines).replace("\n", "\n\t\t")
    return f"{time}\t{turn.speaker}\t{text}"


def rich_turn(turn: Turn, markdown: bool = False) -> Any:
    """Return a turn for rich: columns of time, speaker and text."""
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    style = "dim" if turn.kind == "tool" else ""
    lines: list[Any] = [Text(line, style=style) for line in turn.lines]
    if markdown and turn.kind == "assistant" and turn.text:
        lines[0] = _markdown(turn.text)
    row = Table.grid(padding=(0, 1))
    row.add_column(width=8, no_wrap=True)
    row.add_column(width=10, no_wrap=True, justify="right", overflow="ellipsis")
    row.add_column(overflow="fold")
    time = f"{turn.written_at.astimezone():%H:%M:%S}" if turn.written_at else ""
    colour = COLOURS.get(turn.kind, "red")
    speaker = Text(turn.speaker, style=f"bold {colour}")
    row.add_row(Text(time, style="dim"), speaker, Group(*lines))
    return row


def _markdown(text: str) -> Any:
    """Return Markdown for rich, of which nothing is left out, decoded or made a link.

    rich itself drops HTML, draws images over the text before them, and shows autolinks with `%1b`
    decoded.
    """
    from markdown_it import MarkdownIt  # noqa: PLC0415  (rich's own parser)
    from rich.markdown import Markdown  # noqa: PLC0415

    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
    markdown = Markdown("", hyperlinks=False)
    markdown.parsed = parser.disable(["autolink", "entity", "image", "reference"]).parse(text)
    return markdown


def _html_row(turn: Turn) -> str:
    time = f"{turn.written_at:%Y-%m-%d %H:%M:%S} UTC" if turn.written_at else ""
    colour = COLOURS.get(turn.kind, "red")
    speaker, text = escape(turn.speaker), escape("\n".join(turn.lines))
    cell = "vertical-align:top;text-align:left"
    return (
        f'<tr><td style="{cell};white-space:nowrap" title="{time}">'
        f'<b style="border-left:4px solid {colour};padding-left:.5em">{speaker}</b></td>'
        f'<td style="{cell};white-space:pre-wrap">{text}</td></tr>'
    )


def _calls(message: BaseMessage) -> Iterator[str]:
    for call in getattr(message, "tool_calls", ()):
        arguments = ", ".join(f"{name}={_json(value)}" for name, value in call["args"].items())
        yield f"{call['name']}({arguments})"
    for call in getattr(message, "invalid_tool_calls", ()):
        yield f"{call.get('name')}({call.get('args')}), which could not be parsed"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(filter(None, map(_block, content)))


def _block(block: Any) -> str:
    if isinstance(block, str):
        return block
    kind = block.get("type")
    if isinstance(block.get("text"), str):
        return str(block["text"])
    # Tool calls are shown from the message's own field.
    return "" if kind in ("tool_call", "tool_use", "function_call") else f"[{kind}]"
