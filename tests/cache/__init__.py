"""Tests of the wing `_cache`."""
