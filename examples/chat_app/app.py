"""A web chat whose conversations live in Memorystore: `python examples/chat_app/app.py`.

Strategy: HTTP in, conversations out. A page sends what its user does as small requests, and
hears what to show as server-sent events; what a request does is decided in `conversations.py`.
It has no log-in: everyone who reaches it sees every conversation, so it listens on localhost.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import redis
import uvicorn
from conversations import ConflictError, Conversations, explain
from fastapi import Depends, FastAPI, Request
from fastapi import Path as PathPart
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from model import load
from pydantic import BaseModel, Field
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from langchain_google_memorystore_redis import MemorystoreError
from langchain_google_memorystore_redis._connect.connect import aconnect

FOLDER = Path(__file__).parent


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect, and leave nothing running behind."""
    model = load(
        os.environ.get("CHAT_APP_MODEL", "rules"),
        seconds_per_word=float(os.environ.get("CHAT_APP_SECONDS_PER_WORD", "0.03")),
    )
    client = await aconnect(
        cluster=False,  # older redis-py have no pub/sub in asyncio clusters
        decode_responses=True,
        max_connections=1_000,  # each open page listens on one
        socket_connect_timeout=2,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),  # a person is waiting
    )
    app.state.conversations = Conversations(client, model)
    _when_told_to_stop(app.state.conversations.hang_up)
    yield
    await app.state.conversations.close()
    await client.aclose()


def _when_told_to_stop(act: Callable[[], None]) -> None:
    """Act before uvicorn does: it waits for open pages, and they would listen for ever."""
    for number in (signal.SIGINT, signal.SIGTERM):
        theirs = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None, theirs: Any = theirs) -> None:
            act()
            if callable(theirs):
                theirs(number, frame)

        signal.signal(number, handle)


def _conversations(request: Request) -> Conversations:
    found: Conversations = request.app.state.conversations
    return found


app = FastAPI(title="Chat", lifespan=lifespan)
All = Annotated[Conversations, Depends(_conversations)]
Id = Annotated[str, PathPart(pattern=r"^[a-z0-9-]{1,64}$")]


class Said(BaseModel):
    """What a person sends, in place of the message `instead_of` if that is given."""

    text: str = Field(min_length=1, max_length=100_000)
    instead_of: str | None = None


class Point(BaseModel):
    """A message of a conversation."""

    entry: str


@app.get("/api/conversations/{conversation}/events")
async def events(conversation: Id, conversations: All) -> StreamingResponse:
    """What the page shows, as server-sent events, for as long as it is open."""

    async def lines() -> AsyncIterator[str]:
        async for name, data in conversations.events(conversation):
            yield f"event: {name}\ndata: {json.dumps(data)}\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


@app.post("/api/conversations/{conversation}/messages", status_code=202)
async def send(conversation: Id, said: Said, conversations: All) -> None:
    """Say something, or something else than before; the answer comes as events."""
    await conversations.send(conversation, said.text, said.instead_of)


@app.post("/api/conversations/{conversation}/answers", status_code=202)
async def regenerate(conversation: Id, conversations: All) -> None:
    """Have the last answer made again."""
    await conversations.regenerate(conversation)


@app.post("/api/conversations/{conversation}/branches", status_code=201)
async def branch(conversation: Id, point: Point, conversations: All) -> dict[str, str]:
    """Copy a conversation up to a message."""
    return {"id": await conversations.branch(conversation, point.entry)}


@app.delete("/api/conversations/{conversation}", status_code=204)
async def delete(conversation: Id, conversations: All) -> None:
    """Remove a conversation."""
    await conversations.delete(conversation)


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"problem": text}, status)


@app.exception_handler(ConflictError)
async def _on_conflict(_: Request, error: Exception) -> JSONResponse:
    return _problem(409, str(error))


@app.exception_handler(MemorystoreError)
async def _on_refusal(_: Request, error: Exception) -> JSONResponse:
    return _problem(400, str(error))


@app.exception_handler(RedisError)
async def _on_outage(_: Request, error: Exception) -> JSONResponse:
    away = isinstance(error, (redis.ConnectionError, redis.TimeoutError))
    return _problem(503 if away else 502, explain(error))


app.mount("/", StaticFiles(directory=FOLDER / "static", html=True))


def main() -> None:
    """Serve the page."""
    parser = argparse.ArgumentParser(description="A web chat on MemorystoreChatMessageHistory.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes that answer")
    parser.add_argument(
        "--model",
        default=os.environ.get("CHAT_APP_MODEL", "rules"),
        help="rules, or provider:model as LangChain's init_chat_model takes it",
    )
    options = parser.parse_args()
    if options.workers > 1 and not {"REDIS_URL", "MEMORYSTORE_EMBEDDED_DIR"} & os.environ.keys():
        parser.error("workers share a server: set REDIS_URL or MEMORYSTORE_EMBEDDED_DIR")
    os.environ["CHAT_APP_MODEL"] = options.model  # for workers, which import this module anew
    uvicorn.run(
        "app:app",
        app_dir=str(FOLDER),
        host=options.host,
        port=options.port,
        workers=options.workers,
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
