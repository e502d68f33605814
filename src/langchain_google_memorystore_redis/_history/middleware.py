"""`ChatHistoryMiddleware`: a session as the memory of an agent.

Strategy: the session is authoritative, and the agent's state a copy of it for one run. Whatever a
run needs at its end goes through the state, never through the middleware, so one agent object
serves any number of runs, and an interrupted run can end in any process. The ids of new entries
derive from a key of the user or from the checkpoint, so the same append is stored once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base.id import UUID
from langgraph.config import get_config
from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from langchain_google_memorystore_redis._history.batch import IdempotencyKey
from langchain_google_memorystore_redis._history.history import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._history.loading import load
from langchain_google_memorystore_redis._history.runs import RUNS
from langchain_google_memorystore_redis._history.turn import (
    Loaded,
    RunState,
    are_equal,
    begin,
    end,
    resume,
)
from langchain_google_memorystore_redis._redis.sharing import SharesClient
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

_RUN_STATE: Final = "chat_history_turn"

_IS_RESUMED = "__pregel_resuming"
"""Flag of LangGraph for the first steps of a run without input: `agent.invoke(None, config)`."""

_UUID_EPOCH = 0x01B21DD213814000
"""1970 in the unit of a UUID's time, 100 ns since 1582."""


class SessionState(AgentState[Any]):
    """The agent's state, with the state of the run, which neither caller nor model sees."""

    chat_history_turn: NotRequired[Annotated[RunState, PrivateStateAttr]]


class ChatHistoryMiddleware(SharesClient, AgentMiddleware[SessionState, Any, Any]):
    """Middleware that loads a session into an agent's run and appends the run's new messages.

    Args:
        get_session_history: function from a session id to its history, as for
            `RunnableWithMessageHistory`.

    The session id is `session_id` of the run's context or of `config["configurable"]`, or else the
    `thread_id` there. Before the agent runs, the session's messages are put before those of the
    input; after it, the new ones are appended: one round trip each (a read of more than 5,000
    messages takes more). The result's `messages` are the whole conversation.

    A run that raises stores nothing. Invoke the agent again within ten minutes, in this process,
    with the same message objects or ids, or resume the run with a checkpointer
    (`agent.invoke(None, config)`): the turn is stored once, also after a failed append. After a run
    that returned, the same message is a new turn; with a checkpointer, where it would replace the
    old one in the thread, it raises `InvalidArgumentError`: give a copy,
    `message.model_copy(update={"id": None})`. Other messages that the session holds are not added
    again, so the whole conversation may be given. Across processes `idempotency_key` decides, in
    the run's context or in `config["configurable"]`: if the session holds a turn with this key, the
    run ends at once with the messages of the session, and otherwise stores its turn once.

    Tool calls that stay open get an error as their result, so a model takes what is stored. Methods
    raise the errors of the history; `InvalidArgumentError` if there is nothing to answer; and, at
    the end, `InvalidMessageError` if a message of the run cannot be stored (see the `on_inexact` of
    the history, which by default stores a plain form of artifacts and the like).

    Put it first among the middleware. With a checkpointer, which interrupts need, the session still
    decides: at the beginning of a run its messages replace those of the thread. Summaries of stored
    messages by LangChain's `SummarizationMiddleware` are not stored.

    Examples:
        >>> from langchain.agents import create_agent
        >>> from langchain_core.language_models import FakeListChatModel
        >>> memory = ChatHistoryMiddleware(lambda id: MemorystoreChatMessageHistory(client, id))
        >>> agent = create_agent(FakeListChatModel(responses=["Hello!"]), middleware=[memory])
        >>> config = {"configurable": {"session_id": history.session_id}}
        >>> result = agent.invoke({"messages": "Hello?"}, config)
        >>> [message.content for message in result["messages"]]
        ['hi', 'Hello?', 'Hello!']
        >>> len(history)
        3
    """

    state_schema = SessionState

    def __init__(self, get_session_history: Callable[[str], MemorystoreChatMessageHistory]) -> None:
        if not callable(get_session_history):
            raise ArgumentTypeError(
                "get_session_history",
                "must be a function that returns the history of a session id, "
                f"not a {type(get_session_history).__name__}",
            )
        self._get_session_history = get_session_history

    @hook_config(can_jump_to=["end"])
    def before_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Load the session. One round trip up to 5,000 messages. Called by LangChain.

        One more with an idempotency key, if the history has a `ReadCache`.
        """
        history = self._history(_session_id(runtime))
        return _begin(state, history, history._sync.run(load(history, _user_key(runtime))))

    @hook_config(can_jump_to=["end"])
    async def abefore_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Async twin of `before_agent`."""
        history = self._history(_session_id(runtime))
        return _begin(state, history, await history._async.run(load(history, _user_key(runtime))))

    def after_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Append the new messages. One round trip, none without any. Called by LangChain."""
        run = state.get(_RUN_STATE)
        history = self._history(run["session_id"] if run else _session_id(runtime))
        if run is None:  # the agent had no such middleware when the run began
            loaded = history._sync.run(load(history, _user_key(runtime)))
            run = resume(loaded, state["messages"])
        ended, runs = end(run, state["messages"]), RUNS.of(history._client)
        if ended.new:
            runs.record(history.key, run)  # again, since the time of this request counts
            history._append(ended.new, _idempotency_key(runtime, run))
        runs.forget(history.key, run)
        return _update(state, ended.run, ended.messages)

    async def aafter_agent(self, state: SessionState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Async twin of `after_agent`."""
        run = state.get(_RUN_STATE)
        history = self._history(run["session_id"] if run else _session_id(runtime))
        if run is None:  # the agent had no such middleware when the run began
            loaded = await history._async.run(load(history, _user_key(runtime)))
            run = resume(loaded, state["messages"])
        ended, runs = end(run, state["messages"]), RUNS.of(history._client)
        if ended.new:
            runs.record(history.key, run)  # again, since the time of this request counts
            await history._aappend(ended.new, _idempotency_key(runtime, run))
        runs.forget(history.key, run)
        return _update(state, ended.run, ended.messages)

    def _history(self, session_id: str) -> MemorystoreChatMessageHistory:
        history: Any = self._get_session_history(session_id)
        if isinstance(history, MemorystoreChatMessageHistory):
            return history
        kind = f"{type(history).__module__}.{type(history).__qualname__}"
        raise ArgumentTypeError(
            "get_session_history", f"must return a MemorystoreChatMessageHistory, not {kind}"
        )


def _setting(runtime: Runtime[Any], name: str) -> Any:
    """Return a setting of the run's context, or else of its config; None if it has none."""
    context, configurable = runtime.context, get_config().get("configurable", {})
    found = context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)
    return configurable.get(name) if found is None else found


def _session_id(runtime: Runtime[Any]) -> str:
    found: str | None = _setting(runtime, "session_id")
    if found is None:
        found = get_config().get("configurable", {}).get("thread_id")
    if found is None:
        raise InvalidArgumentError(
            "session_id",
            "is missing: give it in the run's context, or as "
            'agent.invoke(..., {"configurable": {"session_id": ...}})',
        )
    return found


def _user_key(runtime: Runtime[Any]) -> IdempotencyKey | None:
    return IdempotencyKey.or_none(_setting(runtime, "idempotency_key"))


def _begin(
    state: SessionState, history: MemorystoreChatMessageHistory, loaded: Loaded
) -> dict[str, Any]:
    """Return the update that puts the session into the state at the beginning of a run."""
    runs = RUNS.of(history._client)
    beginning = begin(
        loaded,
        state["messages"],
        state.get(_RUN_STATE),
        partial(runs.find, history.key),
        is_resumed=bool(get_config().get("configurable", {}).get(_IS_RESUMED)),
    )
    runs.record(history.key, beginning.run)
    update = _update(state, beginning.run, beginning.messages)
    return {**update, "jump_to": "end"} if beginning.is_over else update


def _update(state: SessionState, run: RunState, messages: list[BaseMessage]) -> dict[str, Any]:
    update: dict[str, Any] = {_RUN_STATE: run}
    if not are_equal(messages, state["messages"]):  # a thread does not store the same again
        # Not through the reducer: a stream of messages would show those of the session again.
        update["messages"] = Overwrite(messages)
    return update


def _idempotency_key(runtime: Runtime[Any], run: RunState) -> IdempotencyKey | None:
    """Return the key of the run, or one that is the same for appends from the same checkpoint."""
    if run["key"]:
        return IdempotencyKey(run["key"])
    if (key := _user_key(runtime)) is not None or runtime.execution_info is None:
        return key
    info = runtime.execution_info
    ticks = UUID(info.checkpoint_id).time - _UUID_EPOCH
    return IdempotencyKey(f"{info.checkpoint_ns} {info.checkpoint_id}", ticks // 10_000)
