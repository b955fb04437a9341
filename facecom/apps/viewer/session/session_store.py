"""Stores sessions while their page is closed: a reload, a closed lid, a lost connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from facecom.apps.viewer.http.limits import Limits

SECONDS_PER_MINUTE = 60.0


class StoredSession(Protocol):
    """A session that can be stored: it is attached to a page or to none, and discarded in the end."""

    def attach(self, client: Any) -> None:
        """Show the session on a page."""

    def detach(self, *, moved: bool = False) -> None:
        """Show it no more: the page is closed, or the session has moved to another page."""

    def discard(self) -> None:
        """Drop all data."""

    @property
    def empty(self) -> bool:
        """Whether there is no data to lose."""


S = TypeVar("S", bound=StoredSession)


class SessionStore(Generic[S]):
    """Sessions by key; a session without a key is discarded with its page.

    Parameters
    ----------
    create : makes a new session
    limits : Limits, how many sessions are stored, and for how long
    """

    def __init__(self, create: Callable[[], S], limits: Limits) -> None:
        self._create, self._limits = create, limits
        self._lock = threading.RLock()
        self._attached: dict[int, tuple[str | None, S]] = {}
        self._stored: dict[str, tuple[S, threading.Timer]] = {}

    def connect(self, key: str | None, client: Any) -> S:
        """Attach the session of a key to a page: the stored one, one that another page shows, or a new one."""
        with self._lock:
            session = self._find(key) or self._create()
            self._attached[client.client_id] = (key, session)
        session.attach(client)
        return session

    def disconnect(self, client_id: int) -> None:
        """Detach the session of a closed page; unless it is empty it is stored for a while."""
        with self._lock:
            key, session = self._attached.pop(client_id, (None, None))
            if session is None:
                return
            session.detach()
            if key is None or session.empty:
                session.discard()
                return
            delay = SECONDS_PER_MINUTE * self._limits.keep_minutes
            timer = threading.Timer(delay, self._expire, [key, session])
            timer.daemon = True
            self._stored[key] = (session, timer)
            timer.start()
            for oldest in list(self._stored)[: -self._limits.stored_sessions]:
                self._expire(oldest, self._stored[oldest][0])

    def close(self) -> None:
        """Discard all sessions."""
        with self._lock:
            for key, (session, _) in list(self._stored.items()):
                self._expire(key, session)
            for _, session in self._attached.values():
                session.discard()
            self._attached.clear()

    def _find(self, key: str | None) -> S | None:
        if key is None:
            return None
        if key in self._stored:
            session, timer = self._stored.pop(key)
            timer.cancel()
            return session
        for client_id, (other, session) in self._attached.items():
            if other == key:  # the same address in a second page, or one whose end was not noticed yet
                del self._attached[client_id]
                session.detach(moved=True)
                return session
        return None

    def _expire(self, key: str, session: S) -> None:
        with self._lock:
            if self._stored.get(key, (None,))[0] is not session:
                return
            self._stored.pop(key)[1].cancel()
        session.discard()
