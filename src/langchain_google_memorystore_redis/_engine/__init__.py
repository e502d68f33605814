"""Knows Redis, not chat: operations as values, and the runners that send them."""
