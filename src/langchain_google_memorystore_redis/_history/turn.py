"""Turns of an agent: the messages with which a run begins, and those to append when it ends.

Strategy: messages are new if their ids are. What the end of a run needs is in its state, which a
checkpoint carries to any process, so it names the messages that need not be stored by digests.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from typing_extensions import TypedDict

from langchain_google_memorystore_redis._history.tool_calls import complete, without_open_calls
from langchain_google_memorystore_redis.errors import InvalidArgumentError

_DIGEST_BYTES = 8
"""Size of the digest of a message id. Whole ids would be most of what a checkpoint stores."""


class RunState(TypedDict):
    """State of a run, from its beginning to its end. Checkpoints store it under these names."""

    session_id: str
    held: bytes
    """Digests of the ids of messages that need not be stored."""
    first: str
    """Id of the first new message, empty if there is none."""
    last: str
    """Id of the last message with which the run began, as the session holds or will hold it."""
    asked: str
    """Id of the last message of the input, empty when the run has ended."""
    key: str
    """Idempotency key of the run, empty if it has none."""


class Beginning(NamedTuple):
    """Beginning of a run."""

    run: RunState
    messages: list[BaseMessage]
    is_over: bool
    """True if the messages hold the answer already."""


class End(NamedTuple):
    """End of a run."""

    run: RunState
    messages: list[BaseMessage]
    new: list[BaseMessage]
    """Messages to append to the session."""


class Loaded(NamedTuple):
    """Session as a run finds it."""

    session_id: str
    messages: Sequence[BaseMessage]
    key: str = ""
    """Idempotency key of the run, empty if it has none."""
    is_stored: bool = False
    """True if the session holds a turn with this key."""


def begin(
    loaded: Loaded,
    given: Sequence[BaseMessage],
    previous: RunState | None,
    find_run: Callable[[str], str | None],
    *,
    is_resumed: bool = False,
) -> Beginning:
    """Begin a run with the messages of the session, and those given that are new.

    `previous` is the state that the thread's last run left, and `find_run` returns the id under
    which an unfinished run stores a question that was asked under another. A run is resumed if it
    has no input of its own. With an idempotency key, the key alone tells what was stored.
    """
    session = loaded.messages
    new, asked, is_over = _not_held(given, session, previous), _id_of_last(given), False
    unfinished = previous if previous and previous["asked"] else None
    if loaded.is_stored:
        new, is_over = [], True
    elif unfinished and loaded.key and unfinished["key"] == loaded.key:
        new = _without_attempt(new, unfinished["last"])
        asked = _id_of_last(new)
    elif unfinished and _is_replaced(given, new):
        asked, left = unfinished["asked"], new
        is_repeat = is_resumed or not (loaded.key or find_run(asked) is None)
        # Otherwise, messages from before would answer the input, if it is the same.
        new = list(without_open_calls(left)) if is_repeat else []
        is_over = is_repeat and len(new) == len(left)
    elif given and not (new and new[-1] is given[-1]):  # the session holds it
        last = "" if loaded.key else find_run(asked)
        if not new and last in {message.id for message in session}:
            is_over = not _is_unanswered(session)
        elif not (_is_unanswered(session) and session[-1].id == asked):
            new = [*new, *_copy_question(given, session)]
    messages = complete([*session, *new])
    completed_ids = {message.id for message in messages}
    new = [message for message in new if message.id in completed_ids]
    if not (new or is_over or _is_unanswered(session)):
        raise _nothing_new(given)
    return Beginning(_run_state(loaded, new, asked, messages), messages, is_over)


def resume(loaded: Loaded, given: Sequence[BaseMessage]) -> RunState:
    """Return the state of a run that began without one."""
    return _run_state(loaded, _not_held(given, loaded.messages, None), "", complete(given))


def end(run: RunState, given: Sequence[BaseMessage]) -> End:
    """End a run with these messages; its state then tells the thread's next run what is stored."""
    messages = complete(given)
    new = _new_messages(messages, given, run)
    if run["first"] in ("", *(message.id for message in new)):
        # The first new message is still there, so a summary replaces stored messages only.
        # Otherwise it stands for messages of this run too, and must be stored.
        new = [m for m in new if m.additional_kwargs.get("lc_source") != "summarization"]
    return End({**run, "held": _digests(messages), "asked": ""}, messages, new)


def are_equal(messages: Sequence[BaseMessage], others: Sequence[BaseMessage]) -> bool:
    """Tell whether messages are equal. Those that cannot be compared are not."""
    try:
        return messages == others
    except Exception:  # noqa: BLE001 - an artifact may hold what cannot be compared, such as arrays
        return False


def _not_held(
    given: Sequence[BaseMessage], loaded: Sequence[BaseMessage], previous: RunState | None
) -> list[BaseMessage]:
    """Return the messages that neither the session nor the thread's earlier part holds."""
    _assign_ids(loaded)
    loaded_ids = {message.id for message in loaded}
    new = [message for message in given if message.id not in loaded_ids]
    return _exclude(previous["held"], new) if previous else new


def _id_of_last(messages: Sequence[BaseMessage]) -> str:
    return (messages[-1].id or "") if messages else ""


def _is_replaced(given: Sequence[BaseMessage], new: Sequence[BaseMessage]) -> bool:
    """Tell whether the input replaced older messages of an unfinished run, by their ids."""
    last = given[-1] if given else None
    return isinstance(last, AIMessage) or (isinstance(last, ToolMessage) and not new)


def _without_attempt(new: Sequence[BaseMessage], last: str) -> list[BaseMessage]:
    """Return the new messages without those of an earlier attempt, whose question ends in `last`.

    The question is kept if it was not given again under another id.
    """
    end = next((place for place, message in enumerate(new, 1) if message.id == last), 0)
    again = _question_at_end(new[end:])
    before = new[: end - len(_question_at_end(new[:end]))] if again else new[:end]
    return [*before, *again]


def _question_at_end(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """Return the messages behind the last of a model or a tool."""
    for place in range(len(messages), 0, -1):
        if isinstance(messages[place - 1], (AIMessage, ToolMessage)):
            return messages[place:]
    return messages


def _is_unanswered(loaded: Sequence[BaseMessage]) -> bool:
    return bool(loaded) and isinstance(loaded[-1], HumanMessage)


def _copy_question(
    given: Sequence[BaseMessage], session: Sequence[BaseMessage]
) -> Sequence[BaseMessage]:
    """Return the question that ends the input under new ids, since the session holds it.

    Those of its messages that follow each other in the session too are one question.
    """
    places = {message.id: place for place, message in enumerate(session)}
    question: list[BaseMessage] = []
    before: int | None = None
    for message in reversed(_question_at_end(given)):
        place = places.get(message.id)
        if question and place != before:
            break
        question.append(message.model_copy(update={"id": str(uuid4())}))
        before = None if place is None else place - 1
    return question[::-1]


def _nothing_new(given: Sequence[BaseMessage]) -> InvalidArgumentError:
    if not given:
        return InvalidArgumentError(
            "messages",
            "is empty, and the session has no unanswered question. If this resumes an interrupt, "
            "its thread has expired: invoke the agent with the input again, and give threads a "
            "longer expiry",
        )
    return InvalidArgumentError(
        "messages",
        "holds nothing to answer: a message with the id of an older one replaces it, and all are "
        "already in the thread or the session. Give a new message, such as a copy of the old one "
        'without its id, `message.model_copy(update={"id": None})`; to go on with a run that has '
        "not ended, resume it: `agent.invoke(None, config)`",
    )


def _run_state(
    loaded: Loaded, new: Sequence[BaseMessage], asked: str, messages: Sequence[BaseMessage]
) -> RunState:
    session = loaded.messages
    known = {message.id for part in (session, new) for message in part}
    added = {message.id for message in messages} - known
    # Results that are missing in the session stay missing there: only its end can be written.
    missing = [each for each in complete(session) if each.id in added] if added else []
    return {
        "session_id": loaded.session_id,
        "held": _digests([*session, *missing]),
        "first": (new[0].id or "") if new else "",
        "last": _id_of_last(new or session),
        "asked": asked,
        "key": loaded.key,
    }


def _new_messages(
    messages: Sequence[BaseMessage], given: Sequence[BaseMessage], run: RunState
) -> list[BaseMessage]:
    """Return the new ones of completed messages."""
    given_ids = {message.id for message in given}
    not_held = {message.id for message in _exclude(run["held"], messages)}
    new: list[BaseMessage] = []
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


def _exclude(digests: bytes, messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """Return the messages whose digests are not among `digests`."""
    step = _DIGEST_BYTES
    excluded = {digests[start : start + step] for start in range(0, len(digests), step)}
    return [message for message in messages if _digest(message) not in excluded]
