"""What an operation costs, next to what its peers and redis-py itself need: `make bench`."""
