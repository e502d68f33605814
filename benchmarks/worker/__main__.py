"""`python -m benchmarks.worker ours`: do what each line of standard input asks.

Strategy: JSON lines both ways, one answer a request: `{"ok": ...}` or `{"error": ...}`. Times are
taken here, around the calls, so the pipe to the parent costs none of them. The process ends with
its standard input, so it cannot outlive who started it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any, TextIO

from benchmarks.worker.adapters import NotBuiltYetError, adapter
from benchmarks.worker.operations import Operations
from benchmarks.worker.savers import SaverAdapter, Turns


async def _answer(operations: Operations | Turns, request: dict[str, Any]) -> dict[str, Any]:
    verb = request.pop("verb")
    try:
        return {"ok": await getattr(operations, verb)(**request)}
    except Exception as error:  # noqa: BLE001 - the parent decides what a failure means
        return {"error": f"{type(error).__name__}: {error}"}


async def serve(name: str, requests: TextIO, answers: TextIO) -> None:
    """Answer until there are no more requests; the first line out says what runs here."""
    try:
        contestant = adapter(name)
        hello: dict[str, Any] = {"ok": contestant.versions()}
    except NotBuiltYetError as missing:
        hello = {"not_built": str(missing)}
    print(json.dumps(hello), file=answers, flush=True)
    if "ok" in hello:
        saver = contestant if isinstance(contestant, SaverAdapter) else None
        operations = Turns(saver) if saver else Operations(contestant)
        for line in requests:
            print(json.dumps(await _answer(operations, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    # Deprecations of what is compared are not the subject; LangChain resets any filter.
    warnings.showwarning = lambda *_, **__: None
    # What a contestant prints must not get between the answers.
    own_output, sys.stdout = sys.stdout, sys.stderr
    asyncio.run(serve(sys.argv[1], sys.stdin, own_output))
