"""`ChatHistoryMiddleware`, a session as the memory of an agent.

Strategy: the session is the truth and the agent's state a copy of it for one run. What a run must
remember between its two ends goes through the state, never through the middleware, so one agent
object serves any number of runs and a run that was interrupted ends in any process. What is new is
told by message ids; what is sent, by the checkpoint it was made from, so that an append that is
made again, from the same checkpoint, is the same bytes, which the server stores once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.base.id import UUID
from langgraph.config import get_config
from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from langchain_google_memorystore_redis._history.batch import Stamp
from langchain_google_memorystore_redis._history.history import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

_TURN: Final = "chat_history_turn"

_MARK = 8
"""Bytes that stand for the id of a message: whole ids would be most of what a checkpoint holds."""

_UUID_EPOCH = 0x01B21DD213814000
"""1970 in the unit of a UUID's time, 100 ns since 1582."""


class _Turn(TypedDict):
    """What a run keeps from its beginning to its end."""

    session_id: str
    held: bytes
    """Marks of the messages that need not be stored."""
    first: str
    """The id of the first message that is new, empty if there was none."""


class SessionState(AgentState[Any]):
    """The agent's state, and beside it what neither its caller nor its model sees."""

    chat_history_turn: NotRequired[Annotated[_Turn, PrivateStateAttr]]


class ChatHistoryMiddleware(AgentMiddleware[SessionState, Any, Any]):
    """Gives an agent the messages of a session, and the session the messages of the run.

    Args:
        get_session_history: makes the history of a session id, as for
            `RunnableWithMessageHistory`.

    The session id is `session_id` of the run's context or of `config["configurable"]`, or else the
    `thread_id` there. Before the agent runs the session's messages are put before those of the
    input, and after it what is new is appended: one round trip each (a read of more than 5,000
    messages takes more). The result's `messages` are the whole conversation.

    A run that raises stores nothing. An append that raised is stored once, if the run is taken up
    again by a checkpointer (`agent.invoke(None, config)`) or asked again with the same message
    objects or ids: input that the session holds is not added twice, and if it holds all of it and
    an answer, the run ends at once with the messages of the session. Methods raise what those of
    the history do; `InvalidArgumentError` if there is nothing to answer; `InvalidMessageError`, at
    the end, if a message of the run cannot be stored.

    Put it first among the middleware. With a checkpointer, which interrupts need, the session still
    decides: at the beginning of a run its messages replace what the thread had. Summaries that
    LangChain's `SummarizationMiddleware` makes of stored messages are not stored.

    Example:
        >>> from langchain.agents import create_agent
        >>> from langchain_core.language_models import FakeListChatModel
        >>> memory = ChatHistoryMiddleware(lambda id: MemorystoreChatMessageHistory(client, id))
        >>> agent = create_agent(FakeListChatModel(responses=["Hello!"]), middleware=[memory])
        >>> config = {"configurable": {"session_id": history.session_id}}
        >>> said = agent.invoke({"messages": "Hello?"}, config)["messages"]
        >>> [message.content for message in said]
        ['hi', 'Hello?', 'Hello!']
        >>> len(history)
        3
    """

    state_schema = SessionState

    def __init__(self, get_session_history: Callable[[str], MemorystoreChatMessageHistory]) -> None:
        if not callable(get_session_history):
            raise ArgumentTypeError(
                "get_session_history",
                "must be a function that makes the history of a session id, "
                f"not a {type(get_session_history).__name__}",
            )
        self._get_session_history = get_session_history

    @hook_config(can_jump_to=["end"])
    def before_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Load the session. One round trip up to 5,000 messages. Called by LangChain."""
        session_id = _session_id(runtime)
        return _opening(state, session_id, self._history(session_id).messages)

    @hook_config(can_jump_to=["end"])
    async def abefore_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Async twin of `before_agent`."""
        session_id = _session_id(runtime)
        return _opening(state, session_id, await self._history(session_id).aget_messages())

    def after_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Append what is new. One round trip, none if nothing is. Called by LangChain."""
        # A run that was interrupted before the agent had this middleware has no beginning.
        turn = state.get(_TURN) or self.before_agent(state, runtime)[_TURN]
        history = self._history(turn["session_id"])
        if new := _new(state["messages"], turn):
            history._append(new, _stamp(runtime))
        return _closing(state, turn)

    async def aafter_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Async twin of `after_agent`."""
        turn = state.get(_TURN) or (await self.abefore_agent(state, runtime))[_TURN]
        history = self._history(turn["session_id"])
        if new := _new(state["messages"], turn):
            await history._aappend(new, _stamp(runtime))
        return _closing(state, turn)

    def _history(self, session_id: str) -> MemorystoreChatMessageHistory:
        history: Any = self._get_session_history(session_id)
        if isinstance(history, MemorystoreChatMessageHistory):
            return history
        kind = f"{type(history).__module__}.{type(history).__qualname__}"
        raise ArgumentTypeError(
            "get_session_history", f"must return a MemorystoreChatMessageHistory, not {kind}"
        )


def _session_id(runtime: Runtime[Any]) -> str:
    context, configurable = runtime.context, get_config().get("configurable", {})
    if isinstance(context, Mapping):
        in_context = context.get("session_id")
    else:
        in_context = getattr(context, "session_id", None)
    ids = (in_context, configurable.get("session_id"), configurable.get("thread_id"))
    found: str | None = next((each for each in ids if each is not None), None)
    if found is None:
        raise InvalidArgumentError(
            "session_id",
            "is missing: give it in the run's context, or as "
            'agent.invoke(..., {"configurable": {"session_id": ...}})',
        )
    return found


def _opening(state: SessionState, session_id: str, loaded: Sequence[BaseMessage]) -> dict[str, Any]:
    """The state with the session in it, where the run begins."""
    _identify(loaded)
    given, earlier = state["messages"], state.get(_TURN)
    held = {message.id for message in loaded}
    new = [message for message in given if message.id not in held]
    if earlier is not None:
        new = _without(earlier["held"], new)
    turn: _Turn = {
        "session_id": session_id,
        "held": _marks(loaded),
        "first": (new[0].id or "") if new else "",
    }
    opening: dict[str, Any] = {_TURN: turn}
    messages = [*loaded, *new]
    if messages != given:  # a thread that has them already does not store them again
        # Not through the reducer: a stream of messages would show those of the session again.
        opening["messages"] = Overwrite(messages)
    if not new and not (loaded and isinstance(loaded[-1], HumanMessage)):
        if not given:
            raise InvalidArgumentError(
                "messages",
                "is empty, and the session has no question that waits for an answer. If this "
                "resumes an interrupt, its thread has expired: ask anew, and let threads live "
                "longer",
            )
        opening["jump_to"] = "end"  # asked again, and answered already
    return opening


def _identify(loaded: Sequence[BaseMessage]) -> None:
    """Give messages without an id one that they get again the next time they are loaded."""
    seen: Counter[str] = Counter()
    for message in loaded:
        if not message.id:
            said = f"{message.type} {message.content!r}"
            seen[said] += 1
            name = f"{seen[said]} {said}".encode()
            message.id = hashlib.blake2b(name, digest_size=16).hexdigest()


def _new(messages: Sequence[AnyMessage], turn: _Turn) -> list[AnyMessage]:
    """What is to be appended."""
    new = _without(turn["held"], messages)
    if turn["first"] in ("", *(message.id for message in new)):
        # The summary stands for stored messages alone; else for some of this run as well.
        return [m for m in new if m.additional_kwargs.get("lc_source") != "summarization"]
    return new


def _closing(state: SessionState, turn: _Turn) -> dict[str, Any]:
    """What the next run of the same thread must know."""
    return {_TURN: {**turn, "held": _marks(state["messages"])}}


def _mark(message: BaseMessage) -> bytes:
    text = (message.id or "").encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_MARK).digest()


def _marks(messages: Iterable[BaseMessage]) -> bytes:
    return b"".join(map(_mark, messages))


def _without(held: bytes, messages: Iterable[AnyMessage]) -> list[AnyMessage]:
    marks = {held[start : start + _MARK] for start in range(0, len(held), _MARK)}
    return [message for message in messages if _mark(message) not in marks]


def _stamp(runtime: Runtime[Any]) -> Stamp | None:
    """What makes an append from the same checkpoint the same one."""
    if runtime.execution_info is None:
        return None
    info = runtime.execution_info
    ticks = UUID(info.checkpoint_id).time - _UUID_EPOCH
    return Stamp(f"{info.checkpoint_ns} {info.checkpoint_id}", ticks // 10_000)
