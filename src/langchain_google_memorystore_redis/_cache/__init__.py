"""Caches: answers of models, and results of a graph's nodes."""
