"""Painting on the page of one client: the pointer's tool, the strokes, and their undoing."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from facecom.apps.viewer.scene import panel, scene
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.session.context import Page
from facecom.apps.viewer.session.job_controller import JobController
from facecom.apps.viewer.session.marks import Tool
from facecom.apps.viewer.session.session import Session
from facecom.geometry.mesh import Bools, Ints

PAINT_HINT = "paint on the scan; beside it, the pointer still turns the view"


class Painted(Protocol):
    """What strokes change: the session of a client, and the page that shows it."""

    session: Session
    page: Page | None
    jobs: JobController

    def draw(self) -> None:
        """Show the session."""


class MarkingController:
    """Applies the strokes of a page to a session.

    Parameters
    ----------
    owner : Painted; its lock is held by those who call
    """

    def __init__(self, owner: Painted) -> None:
        self._owner = owner
        self._before_stroke: Session | None = None

    @property
    def tool(self) -> Tool | None:
        """The tool of the pointer, None while it turns the view, or there is nothing to paint on."""
        page = self._owner.page
        if page is None or self._owner.session.scan is None or page.panel.pointer.value == panel.ROTATE_VIEW:
            return None
        return Tool(page.panel.pointer.value)

    def choose_pointer(self) -> None:
        """Begin or end painting, as the pointer's control says; while it paints the scan is shown."""
        page = self._owner.page
        if page is None:
            return
        self._before_stroke = None
        self._owner.draw()
        if self.tool is None:
            page.painter.end()
            return
        self._begin(page, scene.paintable_mesh(self._owner.session))
        self._owner.jobs.show_message(PAINT_HINT)

    def end(self) -> None:
        """Let the pointer turn the view again."""
        self._before_stroke = None
        page = self._owner.page
        if page is not None:
            page.painter.end()
            page.panel.pointer.value = panel.ROTATE_VIEW

    def apply_stroke(self, touched: Ints, is_over: bool) -> None:
        """Apply the vertices that a stroke has touched so far; the scene is drawn anew when it is over."""
        tool, owner = self.tool, self._owner
        if tool is None or owner.jobs.busy:
            return
        before = self._before_stroke or owner.session
        owner.session = before.paint(touched, tool)
        self._before_stroke = None if is_over else before
        if is_over:
            self.show_marks()

    def show_marks(self) -> None:
        """Show the marks, and say how many there are."""
        page, session = self._owner.page, self._owner.session
        if page is not None:
            page.panel.update(session)
        self._owner.draw()
        self._owner.jobs.show_message(marking_summary(session))

    def _begin(self, page: Page, canvas: scene.PaintedMesh) -> None:
        controls, count = page.panel, len(self._owner.session.marks.missing)
        is_scan = np.arange(len(canvas.mesh.vertices)) < count
        unmarked = scene.paintable_mesh(self._owner.session.unmark_all())

        def preview(touched: Bools) -> scene.PaintedMesh | None:
            if self.tool is Tool.MARK_MISSING:
                return scene.overlay(canvas, touched & is_scan, scene.MARKED_COLOR)
            if self.tool is Tool.KEEP_OPEN:
                return scene.overlay(canvas, touched & ~is_scan, scene.KEPT_OPEN_COLOR)
            return scene.overlay(unmarked, touched, None)

        page.painter.begin(canvas, radius_mm=lambda: _radius_mm(controls), preview=preview)


def _radius_mm(controls: Panel) -> float:
    return panel.checked_length_mm(controls.radius.value, panel.BRUSH_RADIUS_RANGE_MM)


def marking_summary(session: Session) -> str:
    """How much is marked, in a sentence, and whether the result was made with other marks."""
    marks = session.marks
    count = np.count_nonzero(marks.missing)
    text = f"{count} {'vertex' if count == 1 else 'vertices'} of the scan marked as missing"
    if marks.kept_open.any():
        text += f"; {np.mean(marks.kept_open):.0%} of what was found missing is to stay open"
    if session.outdated:
        text += "; the result is kept, and was made with earlier marks"
    return text
