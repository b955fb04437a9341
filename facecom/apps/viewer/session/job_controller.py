"""A visitor's side of the line: one job at a time, its progress and what became of it told on the page."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.session.job_queue import CancelledError, Job, JobQueue
from facecom.apps.viewer.session.jobs import Progress
from facecom.errors import FacecomError

_log = logging.getLogger(__name__)
T = TypeVar("T")
FAILED = "Something went wrong on the server; its log says what."


def plain(text: str) -> str:
    """Words that a page shows as they are: what its markdown would take for markup or code becomes a space.

    Examples
    --------
    >>> plain("a_b.ply is {alert(1)} <b>damaged</b>")
    'a_b.ply is  alert(1)   b damaged /b '
    """
    return re.sub(r"[^\w .,;:()/%+=°·'-]", " ", text)


class JobController:
    """Lines up for a visitor, and tells the page, where there is one.

    Parameters
    ----------
    line : Line of all visitors
    lock : held while what a job has made is taken in
    """

    def __init__(self, line: JobQueue, lock: threading.RLock) -> None:
        self._line, self._lock = line, lock
        self._panel: Panel | None = None
        self._ticket: Job | None = None
        self._words, self._share = "", 0.0

    def open(self, panel: Panel) -> None:
        """Tell a page from now on, and what was told last."""
        with self._lock:
            self._panel = panel
            if self._words:
                panel.status.content = self._words
            panel.bar.value = 100.0 * self._share
            panel.bar.visible = panel.leave.visible = self.busy

    def shut(self) -> None:
        """The page is gone: what is in line goes on."""
        with self._lock:
            self._panel = None

    def say(self, words: str) -> None:
        """Tell the visitor."""
        self._tell(plain(words))

    def complain(self, words: str) -> None:
        """Tell the visitor what went wrong."""
        self._tell(f"**{plain(words).strip()}**")

    def _tell(self, words: str) -> None:
        self._words, panel = words, self._panel
        if panel is not None:
            panel.status.content = words

    def safely(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """A handler of events: what goes wrong is told; what should not have gone wrong is logged as well."""

        def handler(event: Any) -> None:
            try:
                act()
            except CancelledError:
                pass  # the page is gone
            except (FacecomError, ValueError) as error:
                self.complain(str(error))
            except Exception:
                _log.exception("the viewer failed")
                self.complain(FAILED)

        return handler

    @property
    def busy(self) -> bool:
        """Whether a job of this page is in line."""
        return self._ticket is not None

    def must_be_idle(self) -> None:
        """Raise ValueError while a job of this page is in line."""
        if self.busy:
            raise ValueError("one thing at a time: wait for what is in line, or stop it")

    def line_up(self, what: str, work: Callable[[Progress], T], then: Callable[[T], None]) -> None:
        """Do some work when it is our turn, and take in what it gives unless nobody waits for it any more.

        Raises
        ------
        ValueError
            When a job of this page is in line already, or the line is full.
        """
        with self._lock:
            self.must_be_idle()
            job = lambda ticket: self._do(ticket, what, work, then)  # noqa: E731
            self._ticket = self._line.join(job, on_move=lambda place: self._moved(what, place))
            if self._panel is not None:
                self._panel.leave.visible = True

    def leave(self) -> None:
        """Give up the job that is in line, if there is one; what it gives is not taken in."""
        with self._lock:
            if self._ticket is not None:
                self._ticket.leave()
                self._over(self._ticket)

    def _do(self, ticket: Job, what: str, work: Callable[[Progress], T], then: Callable[[T], None]) -> None:
        since = time.perf_counter()

        def progress(stage: str, share: float) -> None:
            ticket.go_on()
            self._share, panel = share, self._panel
            if panel is not None:
                panel.bar.value = 100.0 * share
            self.say(f"{what}: {stage}")

        tell: Callable[[], None] = lambda: self.say(f"{what}: stopped")  # noqa: E731
        try:
            value = work(progress)
            with self._lock:
                ticket.go_on()
                self._over(ticket)
                then(value)
            tell = lambda: self.say(f"{what}: done in {time.perf_counter() - since:.1f} s")  # noqa: E731
        except (FacecomError, ValueError) as error:
            words = str(error)
            tell = lambda: self.complain(words)  # noqa: E731
        except CancelledError:
            pass
        except Exception:
            tell = lambda: self.complain(FAILED)  # noqa: E731
            raise
        finally:
            if self._over(ticket):
                tell()

    def _moved(self, what: str, place: int) -> None:
        panel = self._panel
        if panel is not None:
            panel.bar.visible = True
            panel.bar.animated = place > 0
        self.say(f"{what}: begins" if place == 0 else f"{what}: number {place} in line")

    def _over(self, ticket: Job) -> bool:
        """End a job; whether the page still speaks of it."""
        with self._lock:
            ours = self._ticket in (ticket, None) and not ticket.left
            if self._ticket is ticket:
                self._ticket, self._share = None, 0.0
                if self._panel is not None:
                    self._panel.bar.visible = self._panel.leave.visible = False
                    self._panel.bar.value = 0.0
            return ours
