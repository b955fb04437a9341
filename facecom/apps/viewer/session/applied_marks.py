"""What a completion makes of the marks, found beside the painting and shown before the job runs."""

from __future__ import annotations

import logging

from facecom.apps.viewer.session import face_jobs
from facecom.apps.viewer.session.job_queue import Job
from facecom.apps.viewer.session.owner import Owner
from facecom.apps.viewer.session.session import Session
from facecom.errors import FacecomError

_log = logging.getLogger(__name__)


class AppliedMarksFollower:
    """Finds what the marks of a session come to, each time that they change; the latest marks count.

    Parameters
    ----------
    owner : Owner
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._job: Job | None = None

    def follow(self) -> None:
        """Begin anew with the marks of now, in the queue of short jobs; without marks there is nothing to find."""
        self.stop()
        session = self._owner.session
        marks = session.scan_marks
        if marks.missing.empty and marks.doubted.empty:
            return
        try:
            self._job = self._owner.context.reading.submit(lambda job: self._find(job, session))
        except ValueError as error:  # the queue is full: the marks count all the same
            _log.info("the borders of marks are not shown: %s", error)

    def stop(self) -> None:
        """Drop what is being found."""
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def _find(self, job: Job, session: Session) -> None:
        owner, context = self._owner, self._owner.context
        try:
            applied = face_jobs.apply_marks(
                session,
                model=context.model,
                limits=context.limits.reading,
                progress=lambda stage, share: job.raise_if_cancelled(),
            )
        except (FacecomError, ValueError) as error:
            if not job.cancelled:
                owner.jobs.show_error(str(error))
            return
        with owner.lock:
            if job.cancelled or owner.session.marks is not session.marks:
                return  # a stroke has begun meanwhile
            owner.session = owner.session.set_applied(applied)
            if owner.page is not None:
                owner.draw()
