"""A faulty network between a client and a real server, and a count of its round trips."""

from tests.faults.cluster import ClusterProxy
from tests.faults.counts import Count
from tests.faults.plan import (
    CUT_AFTER_PARTIAL_REPLY,
    CUT_BEFORE,
    CUT_DURING,
    DROP_REPLY,
    HOLD,
    REFUSE,
    STALL,
    Fault,
    Injection,
    delay,
    late,
)
from tests.faults.proxy import Proxy
from tests.faults.resp import Command

__all__ = [
    "CUT_AFTER_PARTIAL_REPLY",
    "CUT_BEFORE",
    "CUT_DURING",
    "DROP_REPLY",
    "HOLD",
    "REFUSE",
    "STALL",
    "ClusterProxy",
    "Command",
    "Count",
    "Fault",
    "Injection",
    "Proxy",
    "delay",
    "late",
]
