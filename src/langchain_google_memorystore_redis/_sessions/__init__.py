"""Operations on the sessions under a key prefix: list, export, import, migrate, delete."""
