"""Vectors: to bytes and back, their distances, and a diverse choice of them."""
