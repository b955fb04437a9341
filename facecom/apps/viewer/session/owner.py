"""What the parts of a client's controller share: its session, its page and its jobs."""

from __future__ import annotations

import threading
from typing import Protocol

from facecom.apps.viewer.session.context import Page, ViewerContext
from facecom.apps.viewer.session.job_controller import JobController
from facecom.apps.viewer.session.session import Session


class Owner(Protocol):
    """A client's controller, as its parts see it.

    session : Session; page : Page or None, while there is one; jobs : JobController; context : ViewerContext;
    lock : held while the session changes
    """

    session: Session
    page: Page | None
    jobs: JobController
    context: ViewerContext
    lock: threading.RLock

    def set_session(self, session: Session) -> None:
        """Replace the session and show it."""

    def draw(self) -> None:
        """Show the session's meshes."""

    @property
    def open_page(self) -> Page:
        """The page; CancelledError where there is none."""
