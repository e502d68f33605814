"""Threads of LangGraph checkpoints."""
