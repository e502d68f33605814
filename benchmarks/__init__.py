"""Cost of this package's operations, next to its peers and to redis-py alone: `make bench`.

To compare one more candidate, add a row to candidates.py and a class to worker/adapters/.
To measure one more operation, add a row to measurements.py and a method to worker/histories.py
or worker/savers.py. To show one more table, add a function to tables.py and its place to
docs/performance.md. To require something of the figures, add a row to checks.py.
"""
