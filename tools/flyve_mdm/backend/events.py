"""What the backend saw: a timeline of events and the requests as they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One thing the backend saw; `detail` never holds a secret."""

    time: float
    kind: str
    detail: dict[str, Any]


@dataclass
class Request:
    """One HTTP request as received, secrets included: kept for tests, out of every repr."""

    time: float
    method: str
    path: str
    query: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None


class SharedList:
    """A list that threads append to and read; `changed` is notified on every append."""

    def __init__(self, changed: threading.Condition) -> None:
        self._items: list[Any] = []
        self._changed = changed
        self._subscribers: list[Callable[[Any], None]] = []

    def append(self, item: Any) -> None:
        """Add an item, wake those who wait, call the subscribers."""
        with self._changed:
            self._items.append(item)
            subscribers = tuple(self._subscribers)
            self._changed.notify_all()
        for subscriber in subscribers:
            subscriber(item)

    def subscribe(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Call `callback(item)` for later items, in the thread that saw them; returns the undo."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def clear(self) -> None:
        """Forget all items."""
        with self._changed:
            self._items.clear()

    def __iter__(self) -> Iterator[Any]:
        with self._changed:
            return iter(tuple(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int | slice) -> Any:
        with self._changed:
            return self._items[index]


class EventLog(SharedList):
    """The timeline."""

    def add(self, kind: str, /, **detail: Any) -> None:
        """Record that `kind` happened now."""
        self.append(Event(time.time(), kind, detail))

    def of(self, kind: str) -> list[Event]:
        """All events of one kind."""
        return [event for event in self if event.kind == kind]
