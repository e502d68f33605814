"""The messages of one chat session."""
