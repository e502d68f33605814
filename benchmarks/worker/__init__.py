"""The part of a benchmark that runs in a contestant's own environment.

Strategy: standard library and that environment's packages only; nothing of this repository but
this folder is imported here, not even the package under test in any special way.
"""
