"""Interrupts at every point at which CPython lets a signal handler run.

Strategy: CPython runs signal handlers when a function begins, after a call of C code (but not
after one of a Python function, which is no call in C), and when a loop jumps back. A trace function
that raises at the n-th such point is what a signal at that moment is, and n counts through all of
them.
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import redis
import valkey

_CLIENTS = tuple(str(Path(module.__file__ or "").parent) for module in (redis, valkey))
_RESUMED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Interrupt(BaseException):
    """Raised where a signal handler would."""


@cache
def _checked(code: CodeType) -> frozenset[int]:
    """Offsets of the instructions before which a signal handler may have run."""
    found = set()
    after_check = False
    for instruction in dis.get_instructions(code):
        if after_check:
            found.add(instruction.offset)
        name, argument = instruction.opname, instruction.arg or 0
        # Not within an await: that would leave locks taken.
        after_check = (
            name.startswith("CALL")
            or name == "JUMP_BACKWARD"
            or (name == "RESUME" and argument < 2)
        )
    return frozenset(found)


def of_client(filename: str) -> bool:
    """Tell whether a file is one of redis-py or valkey-py."""
    return filename.startswith(_CLIENTS)


def _is_python_call(code: CodeType) -> bool:
    """Tell whether a function is called by the interpreter; C code calls the others."""
    return code.co_name != "__init__" and not code.co_flags & _RESUMED


@contextmanager
def interrupted(at: int, within: Callable[[str], bool]) -> Iterator[Callable[[], bool]]:
    """Raise `Interrupt` at a point in the files that `within` accepts; yields "was it reached?"."""
    left = at
    calling: set[FrameType] = set()
    """Frames that have just called a Python function."""

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if event == "call" and frame.f_back is not None and _is_python_call(frame.f_code):
            calling.add(frame.f_back)
        if not within(frame.f_code.co_filename):
            return None
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            has_called = frame in calling
            calling.discard(frame)
            if frame.f_lasti in _checked(frame.f_code) and not has_called:
                left -= 1
                if left == 0:
                    sys.settrace(None)
                    raise Interrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: left <= 0
    finally:
        sys.settrace(before)
