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

# A program that a test runs with its settings in variables.
collect_ignore_glob: list[str] = ["tests/history/queue_worker.py"]
# No LangGraph runs with the oldest langchain-core (see pyproject.toml): what needs it is left out
# there, and so are the tests of all public names and of the source.
if find_spec("langgraph") is None:
    collect_ignore_glob += [
        "docs/caches.md",
        "docs/checkpointer.md",
        "docs/how-to/observability.md",
        "docs/middleware.md",
        "docs/store.md",
        "docs/*.ipynb",
        "src/*/_cache/nodes.py",
        "src/*/_checkpoint/*.py",
        "src/*/_history/middleware.py",
        "src/*/_store/*.py",
        "tests/documents/test_standard.py",
        "tests/history/test_inexact.py",
        "tests/operations.py",
        "tests/redis/test_sharing.py",
        "tests/plugins/agents.py",
        "tests/soak/agents.py",
        "tests/test_architecture.py",
        "tests/test_public.py",
        "tests/test_slot_moves.py",
        "tests/benchmarks/test_savers.py",
        "tests/cache/test_nodes.py",
        "tests/cache/test_standard.py",
        "tests/checkpoint",
        "tests/history/test_agent_keys.py",
        "tests/history/test_middleware.py",
        "tests/history/test_open_calls.py",
        "tests/history/test_same_input.py",
        "tests/store",
    ]
else:
    pytest_plugins.append("tests.plugins.agents")
if find_spec("celery") is None:  # it does not run with the oldest redis-py
    collect_ignore_glob += ["docs/how-to/task-queues.md", "tests/history/test_task_queue.py"]
