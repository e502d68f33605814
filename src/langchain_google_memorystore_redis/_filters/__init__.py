"""Filters: one dict language, as a predicate and as a server's expression."""
