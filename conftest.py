"""The plugins of the test suite, one concern each."""

from importlib.util import find_spec

pytest_plugins = [
    "tests.plugins.marks",
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
        "docs/how-to/observability.md",
        "docs/middleware.md",
        "docs/*.ipynb",
        "src/*/_checkpoint/*.py",
        "src/*/_history/middleware.py",
        "tests/soak/agents.py",
        "tests/test_architecture.py",
        "tests/benchmarks/test_savers.py",
        "tests/checkpoint",
        "tests/history/test_middleware.py",
    ]
