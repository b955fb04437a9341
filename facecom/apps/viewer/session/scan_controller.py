"""Uploads of a page: a scan is read, its unit chosen, and the face in it found."""

from __future__ import annotations

from facecom.apps.viewer.http.uploads import UploadedScan, check_upload, read_upload
from facecom.apps.viewer.session import face_jobs
from facecom.apps.viewer.session.job_results import FaceDetection
from facecom.apps.viewer.session.owner import Owner
from facecom.apps.viewer.session.scan_unit import ScanUnit
from facecom.apps.viewer.session.session import Session
from facecom.completion import CompletionState, Progress


class ScanController:
    """Gives a client's session its scan.

    Parameters
    ----------
    owner : Owner
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def upload(self, name: str, content: bytes) -> None:
        """Read an upload, which takes the place of what runs; the session stays until the scan is there."""
        owner = self._owner
        limits, seed, unit = owner.context.limits, CompletionState().seed, owner.open_page.panel.chosen_unit
        shown = check_upload(name, content, limits=limits)

        def work(progress: Progress) -> UploadedScan:
            return read_upload(name, content, limits=limits, surface_seed=seed, progress=progress)

        def apply(upload: UploadedScan) -> None:
            self._begin(owner.session.load(upload, unit))

        with owner.lock:
            owner.jobs.cancel()
            owner.jobs.submit(shown, work, apply, queue=owner.context.reading)

    def read_again(self) -> None:
        """Read the scan in the unit that is chosen now; what is painted stays, what was made of it does not."""
        owner = self._owner
        unit: ScanUnit = owner.open_page.panel.chosen_unit
        with owner.lock:
            session = owner.session.read_in(unit)
            owner.jobs.cancel()
            self._begin(session)

    def _begin(self, session: Session) -> None:
        """Show a session that begins with its scan, and find the face in it."""
        owner, context = self._owner, self._owner.context
        owner.set_session(session)
        self._look_from_front()

        def work(progress: Progress) -> FaceDetection:
            return face_jobs.detect_face(session, model=context.model, limits=context.limits.working, progress=progress)

        def apply(detection: FaceDetection) -> None:
            owner.set_session(owner.session.set_detection(detection))
            self._look_from_front()

        owner.jobs.submit(session.name, work, apply)

    def _look_from_front(self) -> None:
        if self._owner.page is not None:
            self._owner.page.scene.look_from_front()
