"""Prostheses and downloads of a page."""

from __future__ import annotations

from pathlib import Path

from facecom.apps.viewer.scene import panel
from facecom.apps.viewer.session import design_job, packing
from facecom.apps.viewer.session.design_job import PartLengths
from facecom.apps.viewer.session.job_results import DesignedParts
from facecom.apps.viewer.session.mark_files import marks_file
from facecom.apps.viewer.session.marks import MarkKind
from facecom.apps.viewer.session.owner import Owner
from facecom.completion import Completion, Progress


class OutputController:
    """Designs parts for the displayed face, and sends files.

    Parameters
    ----------
    owner : Owner
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def design(self) -> None:
        """Design the parts for the displayed face, with the lengths that are set."""
        owner, context, completion = self._owner, self._owner.context, self._displayed_completion()
        controls, name = owner.open_page.panel, owner.session.name
        lengths = PartLengths(
            margin_mm=panel.checked_length_mm(controls.margin.value, panel.MARGIN_RANGE_MM),
            wall_mm=panel.checked_length_mm(controls.wall.value, panel.WALL_RANGE_MM),
        )

        def work(progress: Progress) -> DesignedParts:
            return design_job.design_parts(
                completion,
                lengths,
                name=name,
                model=context.model,
                limits=context.limits.working,
                progress=progress,
            )

        owner.jobs.submit(
            "prosthesis",
            work,
            lambda parts: owner.set_session(owner.session.set_prostheses(parts, completion)),
        )

    def download_results(self) -> None:
        """Send what `facecom complete` writes for the displayed face."""
        completion, name = self._displayed_completion(), self._owner.session.name
        self._owner.jobs.submit(
            "results",
            lambda progress: packing.pack_results(completion, name=name, progress=progress),
            lambda data: self._send_file("results.zip", data),
        )

    def download_prostheses(self) -> None:
        """Send the files of the parts that were designed last."""
        parts = self._owner.session.prostheses
        if parts is None:
            raise ValueError("there is no part yet; design it first")
        self._send_file("prosthesis.zip", parts.archive)

    def save_marks(self) -> None:
        """Send the marks of the kind that is chosen, as the file that the command line reads."""
        kind = MarkKind(self._owner.open_page.panel.mark_kind.value)
        self._send_file(f"{kind.value}.json", marks_file(self._owner.session, kind))

    def _displayed_completion(self) -> Completion:
        if self._owner.session.displayed is None:
            raise ValueError("there is no result yet; complete the scan first")
        return self._owner.session.displayed

    def _send_file(self, what: str, data: bytes) -> None:
        """Send a file that is named after the scan."""
        with self._owner.lock:
            if self._owner.page is not None:
                name = f"{Path(self._owner.session.name).stem}_{what}"
                self._owner.page.client.send_file_download(name, data, save_immediately=True)
