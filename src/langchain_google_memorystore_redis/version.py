"""Version of this package, at its module path in release 0.3.0.

Strategy: read from the metadata of the installed package, where alone it is written down.
"""

from importlib.metadata import version

__version__ = version("langchain-google-memorystore-redis")

__all__ = ["__version__"]
