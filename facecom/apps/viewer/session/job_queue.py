"""One worker and a line before it: first come, first served, whoever leaves gives up the place."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)


class CancelledError(Exception):
    """The visitor has left the line; raised within a job at its next stage."""


class Job:
    """A place in the line.

    place : 0 while the job runs, else how many jobs come before it; None once it is over
    """

    def __init__(self, work: Callable[[Job], None], on_move: Callable[[int], None]) -> None:
        self._work, self._on_move = work, on_move
        self._left = threading.Event()
        self.place: int | None = None

    def leave(self) -> None:
        """Give up the place; a job that runs already ends at its next stage."""
        self._left.set()

    @property
    def left(self) -> bool:
        """Whether the place was given up."""
        return self._left.is_set()

    def go_on(self) -> None:
        """Called by a job between its stages; LeftError when nobody waits for it any more."""
        if self.left:
            raise CancelledError

    def move(self, place: int) -> None:
        """Tell the visitor of a new place."""
        if place != self.place:
            self.place = place
            _quietly(lambda: self._on_move(place))

    def run(self) -> None:
        """Do the job; what goes wrong in it is its own business, the line goes on."""
        if not self.left:
            self.move(0)
            _quietly(lambda: self._work(self))
        self.place = None


class JobQueue:
    """Jobs of all visitors, done one after the other in a thread of their own.

    Parameters
    ----------
    most : jobs in line at once, the running one included

    Examples
    --------
    >>> line, done = Line(2), threading.Event()
    >>> ticket = line.join(lambda ticket: done.set())
    >>> done.wait(10)
    True
    >>> line.close()
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._tickets: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._serve, name="facecom-line", daemon=True)
        self._worker.start()

    def join(self, work: Callable[[Job], None], *, on_move: Callable[[int], None] = lambda place: None) -> Job:
        """Line up.

        Parameters
        ----------
        work : called with its ticket when it is its turn
        on_move : called with each new place, 0 when the job begins

        Raises
        ------
        ValueError
            When the line is full.
        """
        ticket = Job(work, on_move)
        with self._changed:
            waiting = sum(not t.left for t in self._tickets)
            if waiting >= self._most or self._closed:
                raise ValueError(
                    f"{waiting} jobs are in line already, which is all there may be; try again in a minute"
                )
            self._tickets.append(ticket)
            self._changed.notify_all()
        self._tell()
        return ticket

    def close(self) -> None:
        """Everybody leaves, and the worker ends after the stage it is in."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets:
                ticket.leave()
            self._changed.notify_all()

    def _tell(self) -> None:
        with self._changed:
            running = [t for t in self._tickets if t.place == 0]
            waiting = [t for t in self._tickets if t.place != 0 and not t.left]
        for k, ticket in enumerate(waiting):
            # the first of an idle line is told by its own run
            if running or k:
                ticket.move(k + len(running))

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tickets or self._closed)
                if not self._tickets:
                    return
                ticket = self._tickets[0]
            ticket.run()
            with self._changed:
                self._tickets.popleft()
            self._tell()


class LatestOnlyExecutor:
    """Does only the latest of many wishes, such as the positions of a point that is dragged."""

    def __init__(self) -> None:
        self._next: Callable[[], None] | None = None
        self._busy = False
        self._lock = threading.Lock()

    def offer(self, work: Callable[[], None]) -> None:
        """Do the work in this thread, or leave it to the thread that is at it; what was waiting is forgotten."""
        with self._lock:
            self._next = work
            if self._busy:
                return
            self._busy = True
        while True:
            with self._lock:
                now, self._next = self._next, None
                if now is None:
                    self._busy = False
                    return
            _quietly(now)


def _quietly(call: Callable[[], None]) -> None:
    """What fails is logged; the thread goes on."""
    try:
        call()
    except CancelledError:
        pass
    except Exception:
        _log.exception("a job of the viewer failed")
