"""Threads whose ids begin alike: listed and deleted by pages.

Strategy: SCAN lists both keys of a thread, so that one is found whose other key a full server has
evicted.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from langchain_google_memorystore_redis._checkpoint.changes import delete_thread
from langchain_google_memorystore_redis._checkpoint.keys import thread_keys, thread_prefix
from langchain_google_memorystore_redis._redis.op import FanOut, Flow, raised
from langchain_google_memorystore_redis._redis.scan import ScanCursor, scan_page

Page = tuple[list[str], ScanCursor | None]
"""Ids of threads, and the cursor of the next page."""


def list_threads(key_prefix: str, id_prefix: str, cursor: ScanCursor) -> Flow[Page]:
    """Return a page of the threads whose ids begin with `id_prefix`. One round trip."""
    begin = quote(id_prefix, safe="")
    suffixes, following = yield from scan_page(thread_prefix(key_prefix) + begin, cursor)
    ids: dict[str, None] = {}
    for suffix in suffixes:
        quoted, _, kind = (begin + suffix).partition("}:")
        thread_id = unquote(quoted)
        if kind in ("index", "data") and quote(thread_id, safe="") == quoted:
            ids[thread_id] = None
    return list(ids), following


def delete_threads(key_prefix: str, id_prefix: str, cursor: ScanCursor) -> Flow[Page]:
    """Delete a page of the threads whose ids begin with `id_prefix`. Two round trips."""
    ids, following = yield from list_threads(key_prefix, id_prefix, cursor)
    deletions = [delete_thread(thread_keys(key_prefix, thread_id)) for thread_id in ids]
    if deletions:
        raised((yield FanOut(deletions)))
    return ids, following
