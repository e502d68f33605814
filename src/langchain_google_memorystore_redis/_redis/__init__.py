"""Knows Redis and no feature: operations as values, and the runners that send them."""
