"""Messages of one chat session."""
