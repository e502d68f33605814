"""Random operations on our store and on LangGraph's InMemoryStore, which must agree.

Strategy: ours runs each list of operations as batches, the other one by one. Its oddities are
mended in `Reference`, which lists them: everything else is the same.
"""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore, _compare_values

from langchain_google_memorystore_redis import MemorystoreStore
from tests.plugins.clients import Target
from tests.store.test_semantics import Letters

INDEX: Any = {"embed": Letters("abc"), "dims": 3, "fields": ["text", "tags[*]"]}
LARGE = 1000

labels = st.sampled_from(["a", "ab", "A", "b"])
spaces = st.lists(labels, min_size=1, max_size=3).map(tuple)
names = st.sampled_from(["k", "l", "m"])
texts = st.text("abc", min_size=1, max_size=3)
plain = st.one_of(st.integers(0, 3), st.floats(0, 3), texts, st.none(), st.just([1, 2]))
values = st.fixed_dictionaries(
    {}, optional={"n": plain, "text": texts, "tags": st.lists(texts, max_size=3), "a.b": plain}
)
operands = st.one_of(st.integers(0, 3), texts)
conditions = st.one_of(
    operands,
    st.just([1, 2]),
    st.dictionaries(st.sampled_from(["$eq", "$ne"]), operands, min_size=1),
    st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.integers(0, 3), min_size=1),
)
filters = st.none() | st.dictionaries(st.sampled_from(["n", "a.b", "missing"]), conditions)
patterns = st.builds(
    MatchCondition,
    st.sampled_from(["prefix", "suffix"]),
    st.lists(labels | st.just("*"), min_size=1, max_size=2).map(tuple),
)
puts = st.builds(
    PutOp,
    spaces,
    names,
    values,
    st.sampled_from([None, False, ["text"], ["tags[*]", "n"]]),
    ttl=st.none(),
)
operations = st.one_of(
    puts,
    puts,
    st.builds(PutOp, spaces, names, st.none(), ttl=st.none()),
    st.builds(GetOp, spaces, names),
    st.builds(
        SearchOp,
        st.lists(labels, max_size=2).map(tuple),
        filters,
        st.just(LARGE),
        st.just(0),
        st.none() | texts,
    ),
    st.builds(
        ListNamespacesOp,
        st.lists(patterns, max_size=2).map(tuple),
        st.none() | st.integers(1, 3),
        st.integers(0, 5),
        st.integers(0, 3),
    ),
)


class _Mended(InMemoryStore):
    """InMemoryStore that takes equal texts in one batch, or in one item."""

    def _insertinmem_store(self, to_embed: Any, embeddings: Any) -> None:
        for places, embedding in zip(to_embed.values(), embeddings, strict=True):
            for space, key, path in places:
                self._vectors[space][key][path] = embedding


class Reference:
    """LangGraph's store, less its oddities."""

    def __init__(self) -> None:
        self.store = _Mended(index=INDEX)
        self.updated: list[tuple[Any, str]] = []
        """Items in the order of their updates, which that store keeps in the order of creation."""
        self.rewritten: set[tuple[Any, str]] = set()

    def run(self, op: Any) -> Any:
        # It runs the reads of a batch before the writes; here every batch has one operation.
        if isinstance(op, PutOp):
            # Vectors of the last put stay with it, after `index=False` too.
            self.store._vectors[op.namespace].pop(op.key, None)
            self.updated = [each for each in self.updated if each != (op.namespace, op.key)]
            if op.value is not None:
                self.updated.append((op.namespace, op.key))
                created = self.store._data[op.namespace].get(op.key)
                # It keeps the caller's own lists and dicts.
                self.store.batch([op._replace(value=copy.deepcopy(op.value))])
                # An update has another time of creation.
                self.rewritten |= {(op.namespace, op.key)} if created else set()
                return None
            self.rewritten.discard((op.namespace, op.key))
        if isinstance(op, SearchOp):
            # `$gt` and the like raise over None and texts.
            (found,) = self.store.batch([op._replace(filter=None)])
            return [each for each in found if self._matches(op.filter, each.value)]  # type: ignore[union-attr]
        if isinstance(op, ListNamespacesOp):
            # It lists namespaces that were emptied, or only read.
            for space in [space for space, items in self.store._data.items() if not items]:
                del self.store._data[space]
        return self.store.batch([op])[0]

    def _matches(self, condition: Any, value: Any) -> bool:
        try:
            return all(_compares(value, name, each) for name, each in (condition or {}).items())
        except (TypeError, ValueError):
            return False


def _compares(value: Any, name: str, condition: Any) -> bool:
    return bool(_compare_values(value.get(name), condition))


def plain_of(op: Any, found: Any) -> Any:
    """What must be the same of an answer."""
    if isinstance(op, GetOp):
        return found and (found.namespace, found.key, found.value)
    if isinstance(op, SearchOp):
        score = {(each.namespace, each.key): each.score for each in found}
        value = {(each.namespace, each.key): each.value for each in found}
        assert len(score) == len(found)
        return value, {key: each and pytest.approx(each, abs=1e-5) for key, each in score.items()}
    return found


def in_order(op: SearchOp, found: Any, updated: list[tuple[Any, str]]) -> bool:
    """Tell whether the best come first, and the newest among equals."""
    scores = [-1.0 if each.score is None else each.score for each in found]
    places = [-updated.index((each.namespace, each.key)) for each in found]
    if op.query is None:
        return places == sorted(places)
    without = [place for place, each in zip(places, found, strict=True) if each.score is None]
    return scores == sorted(scores, reverse=True) and without == sorted(without)


@pytest.mark.slow
@pytest.mark.parametrize(
    "target", [Target("valkey-9.1"), Target("redis-7.0", cluster=True)], ids=str
)
def test_ours_agrees_with_the_store_in_memory(client: Any, prefix: str, target: Target) -> None:
    @settings(
        max_examples=80,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    @given(st.lists(st.lists(operations, min_size=1, max_size=6), max_size=8))
    def agree(batches: list[list[Any]]) -> None:
        ours = MemorystoreStore(client, index=INDEX, key_prefix=f"{prefix}{uuid.uuid4().hex}:")
        reference = Reference()
        for batch in batches:
            found = ours.batch(batch)
            orders, expected = [], []
            for op in batch:
                expected.append(reference.run(op))
                orders.append(list(reference.updated))
            for op, one, other, order in zip(batch, found, expected, orders, strict=True):
                assert plain_of(op, one) == plain_of(op, other), op
                if isinstance(op, SearchOp):
                    assert in_order(op, one, order)
                    _agree_on_pages(ours, op, batch)
        for space, key in reference.updated:
            item = reference.store.get(space, key)
            mine = ours.get(space, key)
            assert item is not None
            assert mine is not None
            assert mine.created_at <= mine.updated_at
            assert (space, key) in reference.rewritten or mine.created_at == mine.updated_at

    agree()


def _agree_on_pages(ours: MemorystoreStore, op: SearchOp, batch: list[Any]) -> None:
    """Check that pages are pieces of the whole, where nothing followed the search."""
    if op is not batch[-1]:
        return
    (whole,) = ours.batch([op])
    pages: list[Any] = []
    for start in range(0, LARGE, 2):
        (page,) = ours.batch([op._replace(limit=2, offset=start)])
        pages += page  # type: ignore[arg-type]
        if not page:
            break
    assert [each.key for each in pages] == [each.key for each in whole]  # type: ignore[union-attr]
