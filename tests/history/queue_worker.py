"""A Celery worker whose task appends a turn, and then waits before it is acknowledged.

Strategy: broker, session and signals between test and task are on one server, named by
`QUEUE_URL`. The first handler of a task never returns: the test kills it. Each later one returns at
once.
"""

from __future__ import annotations

import os
from typing import Any

import redis
from celery import Celery
from langchain_core.messages import AIMessage, HumanMessage

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory

URL = os.environ["QUEUE_URL"]

app = Celery("worker", broker=URL)
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1
app.conf.worker_hijack_root_logger = False
app.conf.broker_connection_retry_on_startup = True
app.conf.broker_transport_options = {"visibility_timeout": 1}  # seconds until it is delivered again


@app.task(bind=True, name="answer")  # type: ignore[untyped-decorator]
def answer(task: Any, session_id: str, question: str, has_key: bool) -> None:
    """Append a turn, and add the task's id to the list `handled`.

    Each handler has an answer of its own, as a model would give it.
    """
    with redis.Redis.from_url(URL) as client:
        history = MemorystoreChatMessageHistory(client, session_id)
        turn = [HumanMessage(question), AIMessage(f"answer of process {os.getpid()}")]
        history.add_messages(turn, idempotency_key=task.request.id if has_key else None)
        if client.rpush("handled", task.request.id) == 1:
            client.blpop(["never"])
