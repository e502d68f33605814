"""Exactly once, through a faulty network: many appends, and an account of every one of them."""
