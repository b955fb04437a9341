"""The jobs of one client: one at a time, with progress and outcome on its page."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.scene.wording import plain_text
from facecom.apps.viewer.session.job_queue import CancelledError, Job, JobQueue
from facecom.completion import Progress
from facecom.errors import FacecomError

_log = logging.getLogger(__name__)
T = TypeVar("T")
SERVER_ERROR = "Something went wrong on the server; its log says what."


class JobController:
    """Submits the jobs of a client, and reports on its page while it has one.

    Parameters
    ----------
    queue : JobQueue of all clients, for jobs that name no other
    lock : held while the result of a job is applied
    """

    def __init__(self, queue: JobQueue, lock: threading.RLock) -> None:
        self._queue, self._lock = queue, lock
        self._panel: Panel | None = None
        self._job: Job | None = None
        self._message, self._progress = "", 0.0

    def attach(self, panel: Panel) -> None:
        """Report on a page from now on, beginning with the last message."""
        with self._lock:
            self._panel = panel
            if self._message:
                panel.status.content = self._message
            panel.progress.value = 100.0 * self._progress
            panel.progress.visible = panel.stop.visible = self.busy

    def detach(self) -> None:
        """The page is closed; the job goes on."""
        with self._lock:
            self._panel = None

    def show_message(self, text: str) -> None:
        """Show a message on the page."""
        self._show(plain_text(text))

    def show_error(self, text: str) -> None:
        """Show an error on the page."""
        self._show(f"**{plain_text(text).strip()}**")

    def _show(self, markdown: str) -> None:
        changed, panel = markdown != self._message, self._panel
        self._message = markdown
        if panel is not None and changed:
            panel.status.content = markdown

    def event_handler(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """A handler of events that shows errors on the page; what is not the user's error is logged as well."""

        def handler(event: Any) -> None:
            try:
                act()
            except CancelledError:
                pass  # the page is closed
            except (FacecomError, ValueError) as error:
                self.show_error(str(error))
            except Exception:
                _log.exception("the viewer failed")
                self.show_error(SERVER_ERROR)

        return handler

    @property
    def busy(self) -> bool:
        """Whether a job of this client is in the queue."""
        return self._job is not None

    def require_idle(self) -> None:
        """Raise ValueError while a job of this client is in the queue."""
        if self.busy:
            raise ValueError("one thing at a time: wait for what is in line, or stop it")

    def submit(
        self,
        title: str,
        work: Callable[[Progress], T],
        apply: Callable[[T], None],
        *,
        queue: JobQueue | None = None,
    ) -> None:
        """Queue some work, and apply its result unless it is cancelled; `apply` may submit what comes next.

        Raises
        ------
        ValueError
            When a job of this client is in the queue already, or the queue is full.
        """
        with self._lock:
            self.require_idle()
            self._job = (queue or self._queue).submit(
                partial(self._run, title=title, work=work, apply=apply), on_position=partial(self._moved, title)
            )
            if self._panel is not None:
                self._panel.stop.visible = True

    def cancel(self) -> None:
        """Cancel the job that is in the queue, if there is one; its result is not applied."""
        with self._lock:
            if self._job is not None:
                self._job.cancel()
                self._end(self._job)

    def _run(self, job: Job, *, title: str, work: Callable[[Progress], T], apply: Callable[[T], None]) -> None:
        start = time.perf_counter()
        report = partial(self.show_message, f"{title}: stopped")
        try:
            value = work(partial(self._show_progress, job, title))
            with self._lock:
                job.raise_if_cancelled()
                self._end(job)
                apply(value)
            report = partial(self.show_message, f"{title}: done in {time.perf_counter() - start:.1f} s")
        except (FacecomError, ValueError) as error:
            report = partial(self.show_error, str(error))
        except CancelledError:
            pass
        except Exception:
            report = partial(self.show_error, SERVER_ERROR)
            raise
        finally:
            if self._end(job):
                report()

    def _show_progress(self, job: Job, title: str, stage: str, share: float) -> None:
        job.raise_if_cancelled()
        self._progress, panel = share, self._panel
        if panel is not None:
            panel.progress.value = 100.0 * share
        self.show_message(f"{title}: {stage}")

    def _moved(self, title: str, position: int) -> None:
        panel = self._panel
        if panel is not None:
            panel.progress.visible = True
            panel.progress.animated = position > 0
        self.show_message(f"{title}: begins" if position == 0 else f"{title}: number {position} in line")

    def _end(self, job: Job) -> bool:
        """End a job; whether the page still waits for a report of it."""
        with self._lock:
            is_awaited = self._job in (job, None) and not job.cancelled
            if self._job is job:
                self._job, self._progress = None, 0.0
                if self._panel is not None:
                    self._panel.progress.visible = self._panel.stop.visible = False
                    self._panel.progress.value = 0.0
            return is_awaited
