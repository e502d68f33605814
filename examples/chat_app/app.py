"""A web chat whose conversations live in Memorystore: `python examples/chat_app/app.py`.

Strategy: the page sends each action of its user as a request and receives what to show as
server-sent events; `conversations.py` implements the actions. There is no login, and everyone who
can connect sees every conversation, so it listens on localhost; `access.py` keeps pages of other
sites out.
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
from access import AccessChecks, name_of
from conversations import ID, ConflictError, Conversations, explain
from fastapi import Depends, FastAPI, Request
from fastapi import Path as PathPart
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from model import load
from pydantic import AfterValidator, BaseModel, Field
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException as StarletteHTTPException

from langchain_google_memorystore_redis import EntryNotFoundError, MemorystoreError
from langchain_google_memorystore_redis._connect.connect import aconnect

FOLDER = Path(__file__).parent


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect at the start; stop all turns and close the client at the end."""
    model = load(
        os.environ.get("CHAT_APP_MODEL", "rules"),
        seconds_per_word=float(os.environ.get("CHAT_APP_SECONDS_PER_WORD", "0.03")),
    )
    client = await aconnect(
        cluster=False,  # older redis-py have no pub/sub in asyncio clusters
        decode_responses=True,
        max_connections=1_000,  # each open page listens on one
        socket_connect_timeout=2,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),  # short: a person waits
    )
    app.state.conversations = Conversations(client, model)
    _on_stop_signal(app.state.conversations.end_events)
    yield
    await app.state.conversations.close()
    await client.aclose()


def _on_stop_signal(callback: Callable[[], None]) -> None:
    """Call back before uvicorn stops: it waits for open pages, whose events never end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        previous = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None, previous: Any = previous) -> None:
            callback()
            if callable(previous):
                previous(number, frame)

        signal.signal(number, handle)


def _conversations(request: Request) -> Conversations:
    conversations: Conversations = request.app.state.conversations
    return conversations


def _storable(text: str) -> str:
    """Refuse half a surrogate pair, which JSON can hold but UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


# Without its pages of documentation, which load programs from elsewhere.
app = FastAPI(title="Chat", lifespan=lifespan, openapi_url=None)
app.add_middleware(AccessChecks, names=("localhost", *os.environ.get("CHAT_APP_HOSTS", "").split()))
AllConversations = Annotated[Conversations, Depends(_conversations)]
ConversationId = Annotated[str, PathPart(pattern=f"^{ID}$")]
Text = Annotated[str, AfterValidator(_storable)]


class UserMessage(BaseModel):
    """Message of the user; `replaces` is the id of an earlier one that it replaces."""

    text: Text = Field(min_length=1, max_length=100_000)
    replaces: Text | None = None


class BranchPoint(BaseModel):
    """Id of the last message that a branch shares with its origin."""

    entry: Text


@app.get("/api/conversations/{conversation}/events")
async def events(
    conversation: ConversationId, conversations: AllConversations
) -> StreamingResponse:
    """Stream what the page shows, as server-sent events, while it is open."""

    async def lines() -> AsyncIterator[str]:
        async for name, data in conversations.events(conversation):
            yield f"event: {name}\ndata: {json.dumps(data)}\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


@app.post("/api/conversations/{conversation}/messages", status_code=202)
async def send(
    conversation: ConversationId, message: UserMessage, conversations: AllConversations
) -> None:
    """Store a new or edited message; the answer follows as events."""
    await conversations.send(conversation, message.text, message.replaces)


@app.post("/api/conversations/{conversation}/answers", status_code=202)
async def regenerate(conversation: ConversationId, conversations: AllConversations) -> None:
    """Regenerate the last answer."""
    await conversations.regenerate(conversation)


@app.post("/api/conversations/{conversation}/branches", status_code=201)
async def branch(
    conversation: ConversationId, point: BranchPoint, conversations: AllConversations
) -> dict[str, str]:
    """Copy a conversation up to a message."""
    return {"id": await conversations.branch(conversation, point.entry)}


@app.delete("/api/conversations/{conversation}", status_code=204)
async def delete(conversation: ConversationId, conversations: AllConversations) -> None:
    """Delete a conversation."""
    await conversations.delete(conversation)


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"problem": text}, status)


@app.exception_handler(StarletteHTTPException)
async def _on_http_error(_: Request, error: Any) -> JSONResponse:
    return _problem(error.status_code, error.detail)


@app.exception_handler(RequestValidationError)
async def _on_invalid_request(_: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]  # never with the input, which may be what no answer can hold
    return _problem(422, f"{first['loc'][-1]}: {first['msg']}")


@app.exception_handler(ConflictError)
@app.exception_handler(EntryNotFoundError)
async def _on_conflict(_: Request, error: Exception) -> JSONResponse:
    return _problem(409, explain(error))


@app.exception_handler(MemorystoreError)
async def _on_memorystore_error(_: Request, error: Exception) -> JSONResponse:
    return _problem(400, str(error))


@app.exception_handler(RedisError)
async def _on_redis_error(_: Request, error: Exception) -> JSONResponse:
    is_outage = isinstance(error, (redis.ConnectionError, redis.TimeoutError))
    return _problem(503 if is_outage else 502, explain(error))


app.mount("/", StaticFiles(directory=FOLDER / "static", html=True))


def main() -> None:
    """Serve the page."""
    parser = argparse.ArgumentParser(description="A web chat on MemorystoreChatMessageHistory.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name by which browsers reach the app, besides localhost, --host and IP addresses",
    )
    parser.add_argument("--workers", type=int, default=1, help="number of server processes")
    parser.add_argument(
        "--model",
        default=os.environ.get("CHAT_APP_MODEL", "rules"),
        help="rules, or provider:model for LangChain's init_chat_model",
    )
    options = parser.parse_args()
    if options.workers > 1 and not {"REDIS_URL", "MEMORYSTORE_EMBEDDED_DIR"} & os.environ.keys():
        parser.error(
            "several workers need a shared server: set REDIS_URL or MEMORYSTORE_EMBEDDED_DIR"
        )
    names = [
        name_of(host) or parser.error(f"{host!r} is not a host") for host in options.allow_host
    ]
    os.environ["CHAT_APP_HOSTS"] = " ".join([*names, options.host.lower()])
    os.environ["CHAT_APP_MODEL"] = options.model  # workers import this module again
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
