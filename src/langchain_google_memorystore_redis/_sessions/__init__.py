"""Operations on all sessions under a key prefix."""
