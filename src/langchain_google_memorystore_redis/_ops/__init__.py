"""Knows chat: builds operations and flows. Holds no client and awaits nothing."""
