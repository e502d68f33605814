"""Entry point of `python -m langchain_google_memorystore_redis.cli`.

Strategy: the same as the console script, for where that is not on the path.
"""

from langchain_google_memorystore_redis.cli import main

main()
