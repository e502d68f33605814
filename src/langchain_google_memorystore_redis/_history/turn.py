"""Turns of an agent: the messages with which a run begins, and those to append when it ends.

Strategy: messages are new if their ids are. What the end of a run needs is in its state, which a
checkpoint carries to any process, so it names the messages that need not be stored by digests.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from typing_extensions import TypedDict

from langchain_google_memorystore_redis._history.tool_calls import complete

_DIGEST_BYTES = 8
"""Size of the digest of a message id. Whole ids would be most of what a checkpoint stores."""


class RunState(TypedDict):
    """State of a run, from its beginning to its end. Checkpoints store it under these names."""

    session_id: str
    held: bytes
    """Digests of the ids of messages that need not be stored."""
    first: str
    """Id of the first new message, empty if there is none."""


class Beginning(NamedTuple):
    """Beginning of a run."""

    run: RunState
    messages: list[AnyMessage]
    new: Sequence[AnyMessage]
    """Messages of the input, and of an unfinished run, that the session lacks."""


class End(NamedTuple):
    """End of a run."""

    run: RunState
    messages: list[AnyMessage]
    new: list[AnyMessage]
    """Messages to append to the session."""


def begin(
    session_id: str,
    loaded: Sequence[AnyMessage],
    given: Sequence[AnyMessage],
    previous: RunState | None,
) -> Beginning:
    """Begin a run with the messages of the session, and those given that are new to it."""
    _assign_ids(loaded)
    loaded_ids = {message.id for message in loaded}
    new = [message for message in given if message.id not in loaded_ids]
    if previous is not None:
        new = _exclude(previous["held"], new)
    # Results that are missing in the session stay missing there: only its end can be written.
    missing = [message for message in complete(loaded) if message.id not in loaded_ids]
    run: RunState = {
        "session_id": session_id,
        "held": _digests([*loaded, *missing]),
        "first": (new[0].id or "") if new else "",
    }
    return Beginning(run, complete([*loaded, *new]), new)


def end(run: RunState, given: Sequence[AnyMessage]) -> End:
    """End a run with these messages; its state then tells the thread's next run what is stored."""
    messages = complete(given)
    new = _new_messages(messages, given, run)
    if run["first"] in ("", *(message.id for message in new)):
        # The first new message is still there, so a summary replaces stored messages only.
        # Otherwise it stands for messages of this run too, and must be stored.
        new = [m for m in new if m.additional_kwargs.get("lc_source") != "summarization"]
    return End({**run, "held": _digests(messages)}, messages, new)


def are_equal(messages: Sequence[BaseMessage], others: Sequence[BaseMessage]) -> bool:
    """Tell whether messages are equal. Those that cannot be compared are not."""
    try:
        return messages == others
    except Exception:  # noqa: BLE001 - an artifact may hold what cannot be compared, such as arrays
        return False


def _new_messages(
    messages: Sequence[AnyMessage], given: Sequence[AnyMessage], run: RunState
) -> list[AnyMessage]:
    """Return the new ones of completed messages."""
    given_ids = {message.id for message in given}
    not_held = {message.id for message in _exclude(run["held"], messages)}
    new: list[AnyMessage] = []
    is_new_call = False
    for message in messages:
        if isinstance(message, AIMessage):
            is_new_call = message.id in not_held
        # A result that was missing is stored behind its call or nowhere.
        if message.id in not_held and (is_new_call or message.id in given_ids):
            new.append(message)
    return new


def _assign_ids(loaded: Sequence[BaseMessage]) -> None:
    """Give messages without an id one that is the same whenever they are loaded."""
    seen: Counter[str] = Counter()
    for message in loaded:
        if not message.id:
            text = f"{message.type} {message.content!r}"
            seen[text] += 1
            name = f"{seen[text]} {text}".encode()
            message.id = hashlib.blake2b(name, digest_size=16).hexdigest()


def _digest(message: BaseMessage) -> bytes:
    text = (message.id or "").encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


def _digests(messages: Iterable[BaseMessage]) -> bytes:
    return b"".join(map(_digest, messages))


def _exclude(digests: bytes, messages: Iterable[AnyMessage]) -> list[AnyMessage]:
    """Return the messages whose digests are not among `digests`."""
    step = _DIGEST_BYTES
    excluded = {digests[start : start + step] for start in range(0, len(digests), step)}
    return [message for message in messages if _digest(message) not in excluded]
