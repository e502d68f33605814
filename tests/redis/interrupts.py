"""Interrupts at every point at which CPython lets a signal handler run.

Strategy: CPython runs signal handlers when a function begins, after a call of C code, and when a
loop jumps back. A trace function that raises at the n-th such point is what a signal at that moment
is, and n counts through all of them.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import CodeType, FrameType
from typing import Any


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


@contextmanager
def interrupted(at: int, within: Callable[[str], bool]) -> Iterator[Callable[[], bool]]:
    """Raise `Interrupt` at a point in the files that `within` accepts; yields "was it reached?"."""
    left = at

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if not within(frame.f_code.co_filename):
            return None
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode" and frame.f_lasti in _checked(frame.f_code):
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
