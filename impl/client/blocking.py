"""The client for programs without an event loop: the same session, in a thread of its own.

It does not know more than `session` does: every method waits for the same method there. It may be used from several
threads; what they ask for travels together.

    with BlockingClient({"a": Address.parse("127.0.0.1:7001"), ...}) as client:
        client.set("apple", "green")
        print(client.get("apple"))
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from threading import Lock, Thread
from typing import Any, Final, Self, TypeVar

from ..net.errors import NoAnswer
from ..settings import Address
from .link import Part
from .session import Client, Item, Swap

Answer = TypeVar("Answer")


class BlockingClient:
    """One session with a cluster; see `Client`, whose arguments and errors these are."""

    def __init__(
        self,
        nodes: Mapping[str, Address],
        *,
        timeout_s: float = 10.0,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loop: Final = asyncio.new_event_loop()
        self._client: Final = Client(nodes, timeout_s=timeout_s, password=password, tls=tls)
        self._thread = Thread(target=self._loop.run_forever, name=f"client {self._client.name}", daemon=True)
        self._lock: Final = Lock()
        """Whatever is asked for comes before the client is left, or is refused."""
        self._is_open = False

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_open = True
        self._wait_for(self._client.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_open = False
            leaving = asyncio.run_coroutine_threadsafe(self._leave(), self._loop)
        leaving.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, key: Part, value: Part) -> int:
        """Store a value; the key's new version."""
        return self._wait_for(self._client.set(key, value))

    def get(self, key: Part) -> bytes | None:
        """The key's value, None if it is not there."""
        return self._wait_for(self._client.get(key))

    def get_item(self, key: Part) -> Item:
        """The key's value and version."""
        return self._wait_for(self._client.get_item(key))

    def delete(self, *keys: Part) -> int:
        """Forget keys; how many of them were there."""
        return self._wait_for(self._client.delete(*keys))

    def compare_and_set(self, key: Part, version: int, value: Part) -> Swap:
        """Store a value if the key's version is `version`."""
        return self._wait_for(self._client.compare_and_set(key, version, value))

    def compare_and_delete(self, key: Part, version: int) -> Swap:
        """Forget a key if its version is `version`."""
        return self._wait_for(self._client.compare_and_delete(key, version))

    def increment(self, key: Part, by: int = 1) -> int:
        """Add to the number under `key`; the sum."""
        return self._wait_for(self._client.increment(key, by))

    def transact(
        self, commands: Iterable[Sequence[Part]], watched: Mapping[bytes, int] | None = None
    ) -> list[object] | None:
        """Apply these commands together; None if a watched key has another version."""
        return self._wait_for(self._client.transact(commands, watched))

    def write(self, *parts: Part) -> object:
        """Have any command applied exactly once."""
        return self._wait_for(self._client.write(*parts))

    def read(self, *parts: Part) -> object:
        """Ask for what a command that changes nothing finds."""
        return self._wait_for(self._client.read(*parts))

    def _wait_for(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        with self._lock:
            if not self._is_open:
                asked.close()
                raise NoAnswer(f"client {self._client.name} is not open: use it within its `with`")
            waiting = asyncio.run_coroutine_threadsafe(asked, self._loop)
        return waiting.result()

    async def _leave(self) -> None:
        """Be done with the cluster, and let every thread that waits know."""
        await self._client.__aexit__()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
