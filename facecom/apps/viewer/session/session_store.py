"""Where sessions wait while their page is away: a reload, a closed lid, a lost connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from facecom.apps.viewer.http.limits import Limits


class StoredSession(Protocol):
    """What can wait: it is shown on a page or on none, and at last forgets everything."""

    def open(self, client: Any) -> None:
        """Be shown on a page."""

    def shut(self, *, moved: bool = False) -> None:
        """Be shown no more, because the page is gone or the session has moved to another."""

    def leave(self) -> None:
        """Forget everything."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to forget."""


V = TypeVar("V", bound=StoredSession)


class SessionStore(Generic[V]):
    """Visitors by the key that their browser holds; who has no key is forgotten with the page.

    Parameters
    ----------
    make : makes a visitor
    limits : Limits, how many may wait, and for how long
    """

    def __init__(self, make: Callable[[], V], limits: Limits) -> None:
        self._make, self._limits = make, limits
        self._lock = threading.RLock()
        self._shown: dict[int, tuple[str | None, V]] = {}
        self._waiting: dict[str, tuple[V, threading.Timer]] = {}

    def enter(self, key: str | None, client: Any) -> V:
        """The visitor of a page: who waits under its key or is shown elsewhere under it, or one who is new."""
        with self._lock:
            visitor = self._called_for(key) or self._make()
            self._shown[client.client_id] = (key, visitor)
        visitor.open(client)
        return visitor

    def gone(self, client_id: int) -> None:
        """A page was closed; a session with something in it waits for a while."""
        with self._lock:
            key, visitor = self._shown.pop(client_id, (None, None))
            if visitor is None:
                return
            visitor.shut()
            if key is None or visitor.empty:
                visitor.leave()
                return
            timer = threading.Timer(60.0 * self._limits.keep_minutes, self._forget, [key, visitor])
            timer.daemon = True
            self._waiting[key] = (visitor, timer)
            timer.start()
            for oldest in list(self._waiting)[: -self._limits.kept]:
                self._forget(oldest, self._waiting[oldest][0])

    def close(self) -> None:
        """Everybody leaves."""
        with self._lock:
            for key, (visitor, _) in list(self._waiting.items()):
                self._forget(key, visitor)
            for _, visitor in self._shown.values():
                visitor.leave()
            self._shown.clear()

    def _called_for(self, key: str | None) -> V | None:
        if key is None:
            return None
        if key in self._waiting:
            visitor, timer = self._waiting.pop(key)
            timer.cancel()
            return visitor
        for client_id, (other, visitor) in self._shown.items():
            if other == key:  # the same address in a second page, or one whose end nobody has noticed yet
                del self._shown[client_id]
                visitor.shut(moved=True)
                return visitor
        return None

    def _forget(self, key: str, visitor: V) -> None:
        with self._lock:
            if self._waiting.get(key, (None,))[0] is not visitor:
                return
            self._waiting.pop(key)[1].cancel()
        visitor.leave()
