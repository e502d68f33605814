"""Messages as the bytes of list elements, and back."""
