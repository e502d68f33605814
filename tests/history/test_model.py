"""The log against a plain Python list, whatever is done to it and by how many writers."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_google_memorystore_redis import (
    EntryNotFoundError,
    MemorystoreChatMessageHistory,
    SessionExistsError,
)
from langchain_google_memorystore_redis._history import operations as ops

SESSIONS = ["a", "ab", "{a}b"]
BOUNDS = st.integers(-8, 8)
MESSAGE = st.builds(HumanMessage, content=st.text(max_size=3)) | st.builds(
    AIMessage, content=st.text(max_size=3), id=st.none() | st.text(max_size=3)
)


class LogMachine(RuleBasedStateMachine):
    """Two objects a session, as two processes would have them, and the list it should be."""

    client: Any
    prefix: str
    runs = 0

    @initialize()
    def start(self) -> None:
        type(self).runs += 1
        self.model: dict[str, list[BaseMessage]] = {name: [] for name in SESSIONS}
        self.logs = {
            name: [
                MemorystoreChatMessageHistory(
                    self.client, name, key_prefix=f"{self.prefix}{self.runs}:"
                )
                for _ in range(2)
            ]
            for name in SESSIONS
        }

    sessions = st.sampled_from(SESSIONS)
    views = st.integers(0, 1)

    @rule(name=sessions, view=views, batch=st.lists(MESSAGE, max_size=6))
    def append(self, name: str, view: int, batch: list[BaseMessage]) -> None:
        self.logs[name][view].add_messages(batch)
        self.model[name] += batch

    @rule(name=sessions, view=views)
    def read(self, name: str, view: int) -> None:
        assert self.logs[name][view].messages == self.model[name]
        assert list(self.logs[name][view]) == self.model[name]
        assert len(self.logs[name][view]) == len(self.model[name])

    @rule(name=sessions, view=views, start=st.none() | BOUNDS, stop=st.none() | BOUNDS)
    def read_range(self, name: str, view: int, start: int | None, stop: int | None) -> None:
        expected = self.model[name][start:stop]
        assert self.logs[name][view][start:stop] == expected
        assert [e.message for e in self.logs[name][view].entries(start, stop)] == expected

    @rule(name=sessions, view=views, index=BOUNDS)
    def read_one(self, name: str, view: int, index: int) -> None:
        try:
            expected = self.model[name][index]
        except IndexError:
            with pytest.raises(IndexError):
                self.logs[name][view][index]
        else:
            assert self.logs[name][view][index] == expected

    @rule(name=sessions, view=views, length=st.integers(0, 8))
    def truncate(self, name: str, view: int, length: int) -> None:
        self.logs[name][view].truncate(length)
        del self.model[name][length:]

    @rule(
        name=sessions,
        view=views,
        index=st.integers(0, 8),
        batch=st.lists(MESSAGE, min_size=1, max_size=6),
    )
    def replace_from(self, name: str, view: int, index: int, batch: list[BaseMessage]) -> None:
        log = self.logs[name][view]
        entries = log.entries(index, index + 1)
        entry_id = entries[0].id if entries else "gone"
        assert entry_id
        with nullcontext() if entries else pytest.raises(EntryNotFoundError):
            log.replace_from(entry_id, batch)
            self.model[name][index:] = batch

    @rule(name=sessions, branch=sessions, view=views, length=st.none() | st.integers(0, 8))
    def copy(self, name: str, branch: str, view: int, length: int | None) -> None:
        if self.model[branch]:
            with pytest.raises(SessionExistsError):
                self.logs[name][view].copy(branch, length)
        else:
            self.logs[name][view].copy(branch, length)
            self.model[branch] = self.model[name][:length]

    @rule(name=sessions, view=views, batch=st.lists(MESSAGE, min_size=1, max_size=4))
    def append_bounded(self, name: str, view: int, batch: list[BaseMessage]) -> None:
        log = self.logs[name][view]
        bounded = MemorystoreChatMessageHistory(
            self.client, name, key_prefix=log.key[: -len(name)], max_messages=5
        )
        result = ToolMessage("r", tool_call_id="c")
        bounded.add_messages([*batch, result])
        whole = [*self.model[name], *batch, result]
        cut = max(0, len(whole) - 5)
        while cut and cut < len(whole) and isinstance(whole[cut], ToolMessage):
            cut += 1
        self.model[name] = whole[cut:]

    @rule(name=sessions, view=views)
    def clear(self, name: str, view: int) -> None:
        self.logs[name][view].clear()
        self.model[name] = []


def test_the_log_is_a_python_list(
    client: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "ELEMENTS_PER_PAGE", 3)
    machine = type("Machine", (LogMachine,), {"client": client, "prefix": prefix})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
