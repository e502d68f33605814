"""Sessions as lines of text, and rows of other packages.

Strategy: a row is an element in its place in a session. A line of JSONL carries the element's own
bytes, so that what is read back is the same to the byte, and is still JSON that other tools read;
an element that is no message travels in base64, for what is read as JSON must be one. Everything
that comes from elsewhere is made the same each time it is read, entry ids included: an import that
is run again finds its own work.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from langchain_core.messages import (
    BaseMessage,
    convert_to_messages,
    convert_to_openai_messages,
    messages_from_dict,
)

from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from langchain_google_memorystore_redis._codec.encode import element_tail, encode
from langchain_google_memorystore_redis._codec.shapes import YEAR_10000_MS
from langchain_google_memorystore_redis.errors import InvalidArgumentError


class Row(NamedTuple):
    """An element and its place."""

    session_id: str
    position: int
    element: bytes


def to_jsonl(row: Row) -> bytes:
    """A line of JSONL for one row, without the line's end."""
    head = _head(row.session_id, row.position)
    if _is_message_line(row.element):
        return head + b'"element": ' + row.element + b"}"
    return head + b'"base64": "' + b64encode(row.element) + b'"}'


def _from_jsonl(line: bytes, number: int) -> Iterator[Row]:
    """The row of line `number`; raises `InvalidArgumentError` if it is none."""
    fields = _parse(line, number)
    session_id, index = fields.get("session_id"), fields.get("index")
    if not isinstance(session_id, str) or type(index) is not int or index < 0:
        raise _wrong(number, 'has no "session_id" and "index"; is it in another format?')
    if isinstance(fields.get("base64"), str):
        try:
            yield Row(session_id, index, b64decode(fields["base64"], validate=True))
        except ValueError as error:
            raise _wrong(number, f"holds broken base64 ({error})") from error
        return
    if not isinstance(fields.get("element"), dict):
        raise _wrong(number, 'has no "element"')
    head = _head(session_id, index) + b'"element": '
    line = line.strip()
    if line.startswith(head) and len(fields) == 3:
        element = line[len(head) : -1].strip()
    else:  # another program wrote the line anew
        element = _written_anew(fields["element"])
    try:
        decode(element)
    except UndecodableError as error:
        raise _wrong(number, f'holds no message in "element" ({error})') from error
    yield Row(session_id, index, element)


def _written_anew(fields: dict[str, Any]) -> bytes:
    """An element as we write it: the server's scripts know one by the place of its "type"."""
    ours = {name: fields[name] for name in ("type", "data", "id", "ts") if name in fields}
    return json.dumps(ours | fields).encode()


def to_openai(session_id: str, messages: Sequence[BaseMessage]) -> bytes:
    """A session in one line: its messages as OpenAI's chat completions take them."""
    converted = []
    for index, message in enumerate(messages):
        try:
            converted += convert_to_openai_messages([message])
        except Exception as error:
            # LangChain raises ValueError and whatever odd content makes it run into.
            raise InvalidArgumentError(
                "format",
                f'"openai" has no place for session {session_id!r}, index {index}, a '
                f'{type(message).__name__}: {error} Export it as "jsonl"',
            ) from error
    return json.dumps({"session_id": session_id, "messages": converted}).encode()


def _from_openai(line: bytes, number: int) -> Iterator[Row]:
    """The rows of a session in OpenAI's format; raises `InvalidArgumentError`."""
    fields = _parse(line, number)
    # OpenAI's own files have no place for an id of the conversation.
    session_id = fields.get("session_id", f"conversation-{number}")
    if not isinstance(session_id, str) or not isinstance(fields.get("messages"), list):
        raise _wrong(number, 'has no "messages"; is it in another format?')
    try:
        messages = convert_to_messages(fields["messages"])
    except Exception as error:
        # LangChain raises whatever its constructors and validators raise.
        raise _wrong(number, f"holds messages that LangChain cannot read: {error}") from error
    for index, message in enumerate(messages):
        place = json.dumps([session_id, index]).encode()
        entry_id = urlsafe_b64encode(sha256(place).digest()[:9])
        # A time that is not known must not be invented; the entry then reads as one of 0.3.0.
        yield Row(session_id, index, encode(message, index, element_tail(entry_id, None)))


def from_langchain_redis(documents: Iterable[bytes | str]) -> Iterator[Row]:
    """The rows of the documents that langchain-redis keeps for one or more sessions, in order.

    A document is what JSON.GET answers, with or without the path "$", which puts it in brackets.
    Raises `InvalidArgumentError` for a document that is none of its messages.
    """
    found: list[tuple[str, float, str, BaseMessage]] = []
    for number, document in enumerate(documents, 1):
        text = _bytes(document).strip().removeprefix(b"[").removesuffix(b"]")
        if not text:
            continue
        fields = _parse(text, number)
        try:
            (message,) = messages_from_dict([{"type": fields["type"], "data": fields["data"]}])
            at = (str(fields["session_id"]), float(fields["timestamp"]), str(fields["message_id"]))
        except Exception as error:
            raise _wrong(number, f"is no document of langchain-redis ({error!r:.80})") from error
        if not 0 <= at[1] * 1000 < YEAR_10000_MS:  # NaN is not either
            raise _wrong(number, f'has a "timestamp" that is no time: {at[1]}')
        found.append((*at, message))
    found.sort(key=lambda one: one[:3])
    session: str | None = None
    index = 0
    for session_id, timestamp, message_id, message in found:
        index = index + 1 if session_id == session else 0
        session = session_id
        end = element_tail(json.dumps(message_id)[1:-1].encode(), int(timestamp * 1000))
        yield Row(session_id, index, encode(message, index, end))


def _each(
    read: Callable[[bytes, int], Iterator[Row]],
) -> Callable[[Iterable[bytes | str]], Iterator[Row]]:
    def rows(lines: Iterable[bytes | str]) -> Iterator[Row]:
        for number, line in enumerate(lines, 1):
            text = _bytes(line)
            if text.strip():
                yield from read(text, number)

    return rows


READERS: Mapping[str, Callable[[Iterable[bytes | str]], Iterator[Row]]] = {
    "jsonl": _each(_from_jsonl),
    "openai": _each(_from_openai),
    "langchain-redis": from_langchain_redis,
}
"""What reads the lines of a file, by its format. They raise `InvalidArgumentError`."""


def _head(session_id: str, index: int) -> bytes:
    return json.dumps({"session_id": session_id, "index": index}).encode()[:-1] + b", "


def _bytes(line: bytes | str) -> bytes:
    # A lone surrogate is for whoever parses it to refuse, with the number of the line.
    return line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line


def _is_message_line(element: bytes) -> bool:
    if not element.startswith(b"{") or b"\n" in element or b"\r" in element:
        return False
    try:
        json.loads(element.decode())
        decode(element)
    except (ValueError, RecursionError):  # an UndecodableError too
        return False
    return element.endswith(b"}")


def _parse(line: bytes, number: int) -> Mapping[str, Any]:
    try:
        fields = json.loads(line)  # not msgspec: lone surrogates and NaN must come through
    except (ValueError, RecursionError) as error:
        raise _wrong(number, f"is no JSON ({error})") from error
    if not isinstance(fields, dict):
        raise _wrong(number, "is no JSON object")
    return fields


def _wrong(number: int, problem: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"line {number}", problem)
