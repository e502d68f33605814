"""`python -m benchmarks.worker langchain:Ours`: answer the requests of standard input.

Strategy: one JSON line a request and an answer, `{"ok": ...}` or `{"error": ...}`. Times are taken
here, around the calls, so the pipe to the parent is not part of them. The process ends with its
standard input, so it cannot outlive its parent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from importlib import import_module
from typing import Any, TextIO

from benchmarks.worker.adapters.base import HistoryAdapter
from benchmarks.worker.histories import HistoryOperations
from benchmarks.worker.operations import Operations
from benchmarks.worker.savers import SaverOperations


def make_operations(adapter_path: str) -> Operations[Any]:
    """Return the operations of the candidate whose adapter is this module and class."""
    module, name = adapter_path.split(":")
    adapter = getattr(import_module(f"benchmarks.worker.adapters.{module}"), name)()
    operations = HistoryOperations if isinstance(adapter, HistoryAdapter) else SaverOperations
    return operations(adapter)


async def _answer(operations: Operations[Any], request: dict[str, Any]) -> dict[str, Any]:
    verb = request.pop("verb")
    try:
        return {"ok": await getattr(operations, verb)(**request)}
    except Exception as error:  # noqa: BLE001 - the parent decides what a failure means
        return {"error": f"{type(error).__name__}: {error}"}


async def serve(adapter_path: str, requests: TextIO, answers: TextIO) -> None:
    """Say which versions are installed, then answer until there are no more requests."""
    operations = make_operations(adapter_path)
    print(json.dumps({"ok": operations.adapter.versions()}), file=answers, flush=True)
    for line in requests:
        answer = await _answer(operations, json.loads(line))
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    # Candidates' deprecation warnings do not matter here; LangChain resets any filter.
    warnings.showwarning = lambda *_, **__: None
    # What a candidate prints must not get between the answers.
    stdout, sys.stdout = sys.stdout, sys.stderr
    asyncio.run(serve(sys.argv[1], sys.stdin, stdout))
