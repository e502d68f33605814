"""Makes clients that suit Memorystore, and servers to connect them to."""
