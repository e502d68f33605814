"""Marks that follow from a test: `pure` from its fixtures, the longer timeout from `slow`.

Strategy: a test is pure unless its fixtures lead to `servers`, or it is marked as needing a process
of its own. Examples of the documentation run on a server, and are never pure.
"""

from __future__ import annotations

import pytest

SLOW_TIMEOUT = 900
"""Seconds a test marked `slow` may take; the others have `timeout` of pyproject.toml."""


def _is_pure(item: pytest.Item) -> bool:
    return (
        isinstance(item, pytest.Function)
        and "servers" not in item.fixturenames
        and item.get_closest_marker("process") is None
        and item.get_closest_marker("slow") is None
    )


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_pure(item):
            item.add_marker("pure")
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))
