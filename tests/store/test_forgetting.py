"""`memorystore-chat delete --id-prefix` forgets the items of a user too."""

from __future__ import annotations

from langchain_google_memorystore_redis import MemorystoreStore
from tests.plugins.shell import Shell, rows


def test_delete_finds_items_by_the_first_label_of_their_namespace(shell: Shell) -> None:
    prefix = f"{shell.prefix}store:"
    store = MemorystoreStore(shell.client, key_prefix=prefix)
    for label in ("user-4:", "user-4:b", "user-42:"):
        for number in range(2):
            store.put((label,), f"{number}", {"n": number})
            store.put((label, "deep"), f"{number}", {"n": number})
    options = ("--id-prefix", "user-4:", "--store-prefix", prefix)
    done = shell("delete", *options, "--dry-run")
    assert done.stderr.startswith("Would delete 0 sessions and 8 items.\n")
    assert len(store.search((), limit=100)) == 12
    done = shell("delete", *options, "--yes", "--json")
    assert rows(done) == [{"deleted": 0, "threads": 0, "items": 8, "refused": 0}]
    assert {item.namespace[0] for item in store.search((), limit=100)} == {"user-42:"}
    assert store.list_namespaces() == [("user-42:",), ("user-42:", "deep")]
