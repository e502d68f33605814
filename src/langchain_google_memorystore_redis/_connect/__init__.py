"""Connections: clients set up for Memorystore, and embedded servers."""
