"""Worker threads and their queue: first in, first out; a cancelled job gives up its place."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)


class CancelledError(Exception):
    """The job was cancelled; raised inside it at its next stage."""


class Job:
    """A job in the queue.

    Parameters
    ----------
    work : called with the job when it is its turn
    on_position : called with each new position

    Attributes
    ----------
    position : 0 while the job runs, else the number of jobs before it; None before it is told and once it is over
    taken : whether a worker has taken it
    """

    def __init__(self, work: Callable[[Job], None], on_position: Callable[[int], None]) -> None:
        self._work, self._on_position = work, on_position
        self._cancelled = threading.Event()
        self.position: int | None = None
        self.taken = False

    def cancel(self) -> None:
        """Give up the place in the queue; a running job ends at its next stage."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether the job was cancelled."""
        return self._cancelled.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError in a cancelled job; called between its stages."""
        if self.cancelled:
            raise CancelledError

    def set_position(self, position: int) -> None:
        """Report a new position."""
        if position != self.position:
            self.position = position
            _log_errors(lambda: self._on_position(position))

    def run(self) -> None:
        """Do the work; an error in it is logged, and the queue goes on."""
        if not self.cancelled:
            self.set_position(0)
            _log_errors(lambda: self._work(self))
        self.position = None


class JobQueue:
    """Runs the jobs of all clients in their order, one at a time in each of its threads.

    Parameters
    ----------
    max_jobs : jobs in the queue, the running ones included
    workers : threads

    Examples
    --------
    >>> queue, done = JobQueue(2), threading.Event()
    >>> job = queue.submit(lambda job: done.set())
    >>> done.wait(10)
    True
    >>> queue.close()
    """

    def __init__(self, max_jobs: int, *, workers: int = 1) -> None:
        self._max_jobs = max_jobs
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._workers = [
            threading.Thread(target=self._run_jobs, name="facecom-jobs", daemon=True) for _ in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def submit(self, work: Callable[[Job], None], *, on_position: Callable[[int], None] = lambda position: None) -> Job:
        """Append a job.

        Parameters
        ----------
        work : called with the job when it is its turn
        on_position : called with each new position, 0 when the job begins

        Raises
        ------
        ValueError
            When the queue is full or closed.
        """
        job = Job(work, on_position)
        with self._changed:
            count = sum(not other.cancelled for other in self._jobs)
            if count >= self._max_jobs or self._closed:
                raise ValueError(f"{count} jobs are in line already, which is all there may be; try again in a minute")
            self._jobs.append(job)
            self._changed.notify_all()
        self._report_positions()
        return job

    def close(self) -> None:
        """Cancel all jobs; the workers end after the stage they are in."""
        with self._changed:
            self._closed = True
            for job in self._jobs:
                job.cancel()
            self._changed.notify_all()

    def _report_positions(self) -> None:
        with self._changed:
            running = [job for job in self._jobs if job.position == 0]
            waiting = [job for job in self._jobs if job.position != 0 and not job.cancelled]
        free = len(self._workers) - len(running)
        for k, job in enumerate(waiting):
            # one for which a worker is free is told by its own run
            if k >= free:
                job.set_position(k - free + 1)

    def _run_jobs(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next() or self._closed)
                job = self._next()
                if job is None:
                    return
                job.taken = True
            job.run()
            with self._changed:
                self._jobs.remove(job)
            self._report_positions()

    def _next(self) -> Job | None:
        """The first job that no worker has taken."""
        return next((job for job in self._jobs if not job.taken), None)


class LatestOnlyExecutor:
    """Runs only the latest of many calls, such as the positions of a dragged point."""

    def __init__(self) -> None:
        self._next: Callable[[], None] | None = None
        self._busy = False
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], None]) -> None:
        """Run the call in this thread, or leave it to the thread that is busy; a call that waited is dropped."""
        with self._lock:
            self._next = call
            if self._busy:
                return
            self._busy = True
        while True:
            with self._lock:
                current, self._next = self._next, None
                if current is None:
                    self._busy = False
                    return
            _log_errors(current)


def _log_errors(call: Callable[[], None]) -> None:
    """Call, and log what fails: the thread goes on."""
    try:
        call()
    except CancelledError:
        pass
    except Exception:
        _log.exception("a job of the viewer failed")
