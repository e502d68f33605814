"""Pruning of threads of graphs with subgraphs: calls that are over are freed, others go on."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from langchain_google_memorystore_redis import MemorystoreSaver
from tests.checkpoint.savers import checkpoint_of, config_of, keys_of
from tests.plugins.clients import Target

CONFIG = config_of("t")
SERVERS = (Target("redis-5.0", protocol=2), Target("valkey-9.1"), Target("redis-7.0", cluster=True))

each_server = pytest.mark.parametrize("target", SERVERS, ids=str)


class State(TypedDict):
    """State of a graph and of its subgraphs."""

    log: Annotated[list[str], operator.add]


def graph_of(saver: Any, *, levels: int = 1, asks: bool = False, own: Any = None) -> Any:
    """A graph with `levels` of subgraphs, the innermost of which may ask a human.

    `own` is the checkpointer of the subgraphs: True keeps their state from call to call.
    """

    def work(state: State) -> Any:
        seen = len(state["log"])
        answer = interrupt("go on?") if asks and "ask" in state["log"][-1] else "unasked"
        return {"log": [f"{answer} after {seen}"]}

    inner: Any = work
    for level in range(levels):
        graph: Any = StateGraph(State)
        graph.add_node(f"level {level}", inner)
        graph.add_node(f"after {level}", lambda state: {"log": [f"{len(state['log'])}"]})
        graph.add_edge(START, f"level {level}").add_edge(f"level {level}", f"after {level}")
        compiled = graph.compile(checkpointer=own)
        inner = compiled
    outer: Any = StateGraph(State)
    outer.add_node("sub", inner).add_edge(START, "sub")
    return outer.compile(checkpointer=saver)


def namespaces(saver: MemorystoreSaver) -> Counter[str]:
    """How many checkpoints of each namespace there are; task ids are left out."""
    thread: Any = {"configurable": {"thread_id": "t"}}
    spaces = (found.config["configurable"]["checkpoint_ns"] for found in saver.list(thread))
    return Counter("|".join(part.split(":")[0] for part in each.split("|")) for each in spaces)


@each_server
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_calls_of_a_subgraph_that_are_over_are_freed(
    client: Any, prefix: str, levels: int, durability: Any
) -> None:
    saver = MemorystoreSaver(client, key_prefix=prefix)
    graph = graph_of(saver, levels=levels)
    for turn in range(10):
        graph.invoke({"log": [f"turn {turn}"]}, CONFIG, durability=durability)
    before = graph.get_state(CONFIG).values
    assert len(namespaces(saver)) == (1 if durability == "exit" else 1 + levels)
    saver.prune(["t"])
    assert namespaces(saver) == {"": 1}
    assert graph.get_state(CONFIG).values == before
    index, data = keys_of(prefix)
    assert client.zcard(index) <= 2
    assert client.hlen(data) < 40


@each_server
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_call_of_a_subgraph_that_waits_for_a_human_goes_on_after_pruning(
    client: Any, prefix: str, levels: int, durability: Any
) -> None:
    said = []
    for saver in (InMemorySaver(), MemorystoreSaver(client, key_prefix=prefix)):
        graph = graph_of(saver, levels=levels, asks=True)
        for turn in range(4):
            text = f"ask {turn}" if turn % 2 else f"turn {turn}"
            graph.invoke({"log": [text]}, CONFIG, durability=durability)
            for answer in ("yes",) if turn % 2 else ():
                if isinstance(saver, MemorystoreSaver):
                    saver.prune(["t"])
                    assert len(namespaces(saver)) == 1 + levels
                assert graph.get_state(CONFIG).next == ("sub",)
                graph.invoke(Command(resume=answer), CONFIG, durability=durability)
        said.append(graph.get_state(CONFIG).values)
        if isinstance(saver, MemorystoreSaver):
            saver.prune(["t"])
            assert namespaces(saver) == {"": 1}
    assert said[0] == said[1]
    assert "yes after" in str(said[0])


@each_server
def test_a_subgraph_with_a_memory_of_its_own_keeps_it(client: Any, prefix: str) -> None:
    said = []
    for saver in (InMemorySaver(), MemorystoreSaver(client, key_prefix=prefix)):
        graph = graph_of(saver, own=True)
        for turn in range(4):
            graph.invoke({"log": [f"turn {turn}"]}, CONFIG)
            if isinstance(saver, MemorystoreSaver):
                saver.prune(["t"])
                assert namespaces(saver) == {"": 1, "sub": 1}
        said.append(graph.get_state(CONFIG).values)
    assert said[0] == said[1]


@each_server
def test_a_namespace_goes_only_if_its_root_checkpoint_was_removed(client: Any, prefix: str) -> None:
    saver = MemorystoreSaver(client, key_prefix=prefix)
    deltas: Any = {"counters_since_delta_snapshot": {"log": (1, 1)}}

    def put(namespace: str, id_: str, metadata: Any = None) -> None:
        values = {"log": "value"} if id_ == "2" else {}
        checkpoint = checkpoint_of({"log": "1"}, **values)
        checkpoint["id"] = id_
        parent = config_of("t", namespace, {"4": "3", "3": "2"}.get(id_) if not namespace else None)
        stored: Any = metadata or {}
        saver.put(parent, checkpoint, stored, dict.fromkeys(values, "1"))

    put("", "1")
    put("", "2")
    put("", "3", deltas)
    put("", "4", deltas)  # needs 3, and 2, where the channel has a value
    for name, top in (("under 1", "1"), ("under 3", "3"), ("under 4", "4"), ("to come", "5")):
        put(f"{name}:task", "9", {"parents": {"": top}})
    put("no parents:task", "9")
    put("no task", "9", {"parents": {"": "1"}})
    saver.prune(["t"])
    kept = {"under 3", "under 4", "to come", "no parents", "no task"}
    assert set(namespaces(saver)) == {"", *kept}
    saver.delete_thread("t")
    put("alone:task", "9", {"parents": {"": "1"}})
    saver.prune(["t"])
    assert set(namespaces(saver)) == {"alone"}
