"""Module path of the document loader in release 0.3.0.

Strategy: imports written for that release keep working.
"""

from langchain_google_memorystore_redis import MemorystoreDocumentLoader

__all__ = ["MemorystoreDocumentLoader"]
