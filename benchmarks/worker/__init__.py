"""Part of the benchmark that runs in a candidate's own environment.

Strategy: it imports the standard library, this folder, `benchmarks.placement` and the candidate's
packages, and nothing else of this repository.
"""
