"""Long-term memory: items in namespaces, with filters and semantic search."""
