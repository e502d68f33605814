"""The plugins of the test suite, one concern each."""

from importlib.metadata import version
from importlib.util import find_spec

pytest_plugins = [
    "tests.plugins.servers",
    "tests.plugins.clients",
    "tests.plugins.doors",
    "tests.plugins.faults",
    "tests.plugins.snippets",
    "tests.plugins.shell",
]

# With the oldest langchain-core there is no langgraph to be had (see pyproject.toml): nothing of it
# runs there, nor what looks at the source alone.
collect_ignore_glob: list[str] = []
if find_spec("langgraph") is None:
    collect_ignore_glob += [
        "docs/checkpointer.md",
        "docs/*.ipynb",
        "src/*/checkpoint*.py",
        "tests/agents.py",
        "tests/savers.py",
        "tests/soak_checkpoint.py",
        "tests/test_architecture.py",
        "tests/test_checkpoint*.py",
    ]

# redis-py 5 gives up at once on what fails while it connects, so what heals with later ones does
# not with it, whatever the options.
if int(version("redis").split(".")[0]) < 6:
    collect_ignore_glob += ["tests/test_connection.py", "tests/test_outages.py"]
