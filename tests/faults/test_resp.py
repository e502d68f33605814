"""RESP is cut at the right places, whatever the pieces it arrives in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.resp import Command, Splitter

REPLIES = {
    "simple string": b"+OK\r\n",
    "error": b"-ERR no\r\n",
    "integer": b":-7\r\n",
    "bulk string": b"$5\r\na\r\nbc\r\n",
    "empty bulk string": b"$0\r\n\r\n",
    "RESP2 null": b"$-1\r\n",
    "RESP2 null array": b"*-1\r\n",
    "RESP3 null": b"_\r\n",
    "boolean": b"#t\r\n",
    "double": b",-1.5e300\r\n",
    "infinity": b",inf\r\n",
    "big number": b"(3492890328409238509324850943850943825024385\r\n",
    "bulk error": b"!6\r\nERR no\r\n",
    "verbatim string": b"=7\r\ntxt:a\r\n\r\n",
    "array": b"*2\r\n:1\r\n$1\r\nx\r\n",
    "empty array": b"*0\r\n",
    "nested arrays": b"*2\r\n*1\r\n*0\r\n*2\r\n+a\r\n$-1\r\n",
    "map": b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n",
    "empty map": b"%0\r\n",
    "set": b"~2\r\n+a\r\n+b\r\n",
    "push": b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n",
    "attribute, then its reply": b"|1\r\n+ttl\r\n:9\r\n*1\r\n+a\r\n",
    "attribute within": b"*2\r\n:1\r\n|1\r\n+ttl\r\n:9\r\n:2\r\n",
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_is_found_whole_wherever_it_is_broken(reply: bytes) -> None:
    for first in range(len(reply)):
        for second in range(first, len(reply)):
            splitter = Splitter()
            pieces = reply[:first], reply[first:second], reply[second:]
            assert [list(splitter.feed(piece)) for piece in pieces] == [[], [], [reply]]
            assert not splitter.partial


def test_replies_that_arrive_together_come_apart() -> None:
    splitter = Splitter()
    assert list(splitter.feed(b"".join(REPLIES.values()) + b"$3\r\nab")) == [*REPLIES.values()]
    assert splitter.partial


class CountedBuffer(bytearray):
    """A buffer that counts how often it is searched."""

    searches = 0

    def find(self, *args: Any) -> int:
        self.searches += 1
        return super().find(*args)


def test_a_reply_in_many_pieces_is_walked_once() -> None:
    reply = b"*5000\r\n" + b"$100\r\n%s\r\n" % (b"x" * 100) * 5000
    pieces = [reply[at : at + 1000] for at in range(0, len(reply), 1000)]
    splitter = Splitter()
    splitter._buffer = buffer = CountedBuffer()
    assert sum(len(list(splitter.feed(piece))) for piece in pieces) == 1
    # Each element once, and once more the one that each piece ends in.
    assert buffer.searches <= 1 + 5000 + len(pieces)


def test_what_is_not_resp_is_refused_with_its_first_bytes() -> None:
    with pytest.raises(ValueError, match=r"not RESP: b'GET / HTTP/1\.1'"):
        list(Splitter().feed(b"GET / HTTP/1.1\r\n"))


@pytest.mark.parametrize(
    ("words", "name", "arguments", "is_handshake"),
    [
        ([b"get", b"k"], "GET", (b"k",), False),
        ([b"SET", b"k\r\n", b""], "SET", (b"k\r\n", b""), False),
        ([b"script", b"load", b"return 1"], "SCRIPT LOAD", (b"load", b"return 1"), False),
        ([b"CLUSTER SLOTS"], "CLUSTER SLOTS", (), True),
        ([b"CLUSTER", b"slots"], "CLUSTER SLOTS", (b"slots",), True),
        ([b"CLUSTER", b"KEYSLOT", b"k"], "CLUSTER KEYSLOT", (b"KEYSLOT", b"k"), False),
        ([b"CLIENT", b"SETINFO", b"LIB-NAME", b"x"], "CLIENT SETINFO", None, True),
        ([b"COMMAND"], "COMMAND", (), True),
        ([b"COMMAND", b"GETKEYS", b"GET", b"k"], "COMMAND GETKEYS", None, False),
        ([b"HELLO", b"3"], "HELLO", (b"3",), True),
    ],
)
def test_a_command_is_known_by_its_name(
    words: list[bytes], name: str, arguments: tuple[bytes, ...] | None, is_handshake: bool
) -> None:
    raw = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
    command = Command(raw)
    assert (command.name, command.is_handshake) == (name, is_handshake)
    if arguments is not None:
        assert command.arguments == arguments
    assert command.is_called(name.lower())
    assert command.is_called(name.split(maxsplit=1)[0])
