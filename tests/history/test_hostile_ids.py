"""Session ids are plain text: no two share a key, and what is done to one reaches no other."""

from __future__ import annotations

import itertools
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis import InvalidArgumentError, MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._redis.keys import session_key
from tests.plugins.clients import Target
from tests.plugins.doors import Door

CLUSTER = Target("valkey-9.1", cluster=True, protocol=2)
STANDALONE = Target("valkey-9.1")
DECODING = Target("redis-7.0", decode_responses=True)

SPECIAL = (
    *("a", "ab", "a*", "*", "?", "[a-z]", "[^a]", "a\\", "\\", "\\*", "-", "^", "a?", "**"),
    *("{a}", "{b}", "{}", "}{", "{a}b", "{a}c", "{", "}", "{{a}}", "a{}", "{a", "a}", "{a}{b}"),
    *("\x00", "a\x00", "a\x00b", "\x00a", "\r\n", "a\r\n", "\n", " ", "a ", " a", "\t", "\x1f\x7f"),
    *(
        "caf\u00e9",
        "cafe\u0301",
        "\u00e5",
        "\u212b",
        "a\u030a",
        "\ufb01",
        "fi",
        "\u0130",
        "i\u0307",
    ),
    *(
        "\u202eabc",
        "\u202dabc",
        "\u0645\u0631\u062d\u0628\u0627",
        "\u05e9\u05dc\u05d5\u05dd",
        "\ufeff",
    ),
    *(
        "\U0001f99c",
        "\U0001f468\u200d\U0001f469",
        "\u2764",
        "\u2764\ufe0f",
        "\u200b",
        "\u2028",
        "A",
    ),
    *(":", "::", "a:", ":a", "%00", "%s", "{0}", "$", "-1", "0", "None", "\U0010ffff", "\uffff"),
)


@pytest.mark.parametrize("target", [DECODING, CLUSTER], ids=str)
def test_no_session_reaches_another_whatever_its_id(client: Any, raw: Any, prefix: str) -> None:
    ids = [*SPECIAL, "x" * 1_000_000, "x" * 1_000_001]
    assert len({unicodedata.normalize("NFC", each) for each in ids}) < len(set(ids)) == len(ids)
    histories = [MemorystoreChatMessageHistory(client, each, key_prefix=prefix) for each in ids]
    said = [HumanMessage(ascii(each)[:100], length=len(each)) for each in ids]
    for history, message in zip(histories, said, strict=True):
        history.add_messages([message, HumanMessage("second")])
    for history, message in zip(histories, said, strict=True):
        assert history.messages == [message, HumanMessage("second")]
        history.truncate(1)
    for position, history in enumerate(histories):
        history.clear()
        left = [raw.llen(other.key.encode()) for other in histories]
        assert left == [0] * (position + 1) + [1] * (len(ids) - position - 1)


@pytest.mark.parametrize("target", [STANDALONE, CLUSTER], ids=str)
async def test_special_characters_in_prefixes_are_plain_text(door: Door, raw: Any) -> None:
    prefixes = [door.prefix + each for each in ("", "*", "?", "{", "{}", "[a]", "\\", "\x00", "é")]
    for key_prefix, session_id in itertools.product(prefixes, ("1", "*", "{1}")):
        history = door.open(session_id, key_prefix=key_prefix)
        await history.add_message(HumanMessage(key_prefix + session_id))
        assert raw.lrange((key_prefix + session_id).encode(), 0, -1) != []
    for key_prefix, session_id in itertools.product(prefixes, ("1", "*", "{1}")):
        history = door.open(session_id, key_prefix=key_prefix)
        assert await history.messages() == [HumanMessage(key_prefix + session_id)]
        await history.clear()


IDS = st.text(st.sampled_from("ab{}*?[]^-\\:\x00\r\n é\u0301\u202e🦜\ud83d\udf9c"), min_size=1)


@pytest.mark.slow
@given(
    st.lists(IDS | st.text(st.characters(), min_size=1), min_size=40, unique=True),
    IDS | st.just(""),
)
@settings(max_examples=500, deadline=None)
def test_under_one_prefix_two_ids_never_share_a_key(ids: list[str], key_prefix: str) -> None:
    keys: dict[bytes, str] = {}
    for session_id in ids:
        try:
            key = session_key(key_prefix, session_id)
        except InvalidArgumentError:
            assert any("\ud800" <= character <= "\udfff" for character in key_prefix + session_id)
            continue
        assert keys.setdefault(key, session_id) == session_id
        assert key.decode() == key_prefix + session_id
