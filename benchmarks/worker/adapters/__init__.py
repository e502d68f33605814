"""Candidates: one class each, which adapts a package to the operations that are measured."""
