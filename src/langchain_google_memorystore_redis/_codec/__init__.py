"""Turns a message into the bytes of a list element and back."""
