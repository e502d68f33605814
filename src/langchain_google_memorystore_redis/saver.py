"""Module path of the document saver in release 0.3.0.

Strategy: imports written for that release keep working.
"""

from langchain_google_memorystore_redis import MemorystoreDocumentSaver

__all__ = ["MemorystoreDocumentSaver"]
