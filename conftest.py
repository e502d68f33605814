"""The plugins of the test suite, one concern each."""

pytest_plugins = [
    "tests.plugins.servers",
    "tests.plugins.clients",
    "tests.plugins.doors",
    "tests.plugins.faults",
    "tests.plugins.snippets",
]
