"""Access checks: which requests the app answers, and what browsers may do with its answers.

Strategy: whoever can connect may do everything, and that includes any page that a user's browser
shows. A page whose own name leads here (DNS rebinding) is recognised by the Host header, which must
hold an IP address or a known name, and a page of another site by Origin or Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1_000_000
"""More than the longest message, with every character escaped."""

HEADERS = {
    # A second defence, besides text never being parsed as HTML: nothing foreign runs or loads.
    "Content-Security-Policy": (
        "default-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s\[\]:/?#@\\,]+?)\.?)(?::[0-9]{1,5})?")


def name_of(host: str) -> str | None:
    """Return the name or address in a Host header, without the port; None if it is malformed."""
    match = _HOST.fullmatch(host.lower())
    return (match[1] or match[2]) if match else None


def refusal(method: str, headers: Headers, names: Iterable[str]) -> str | None:
    """Return the reason to refuse a request; None if there is none."""
    host = ",".join(headers.getlist("host"))
    name = name_of(host)
    # No page has an origin with an address that is not its server's, so addresses need no list.
    if name is None or not (name in names or _is_address(name)):
        return (
            f"The host {host!r} is not allowed. Restart the app with --allow-host {name or 'NAME'}."
        )
    for origin in headers.getlist("origin"):
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return f"Pages of {origin!r} may not use this app."
    for site in headers.getlist("sec-fetch-site"):
        is_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not is_link:
            return "Pages of other sites may not use this app."
    return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class AccessChecks:
    """Middleware that refuses foreign and oversized requests and adds `HEADERS` to all answers."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0

        async def receive_limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY_BYTES:
                raise HTTPException(413, f"A request may have {MAX_BODY_BYTES:,} bytes.")
            return message

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        problem = refusal(scope["method"], Headers(scope=scope), self._names)
        app = JSONResponse({"problem": problem}, 403) if problem else self._app
        await app(scope, receive_limited, send_guarded)
