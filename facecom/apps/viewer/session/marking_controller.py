"""Painting on the page of one client: the pointer's tool, the strokes, their undoing, and files of marks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facecom.apps.viewer.http.uploads import check_upload
from facecom.apps.viewer.scene import panel, scan_scene
from facecom.apps.viewer.scene.painted_mesh import PaintedMesh, overlay
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.session import mark_files
from facecom.apps.viewer.session.applied_marks import AppliedMarksFollower
from facecom.apps.viewer.session.context import Page
from facecom.apps.viewer.session.marks import MarkKind, Tool
from facecom.apps.viewer.session.owner import Owner
from facecom.apps.viewer.session.session import Session
from facecom.completion import Progress
from facecom.geometry.mesh import Bools, Ints

PAINT_HINT = "paint on the scan; beside it, the pointer still turns the view"
LONGEST_WORD = 80
"""Characters of a word that are looked at."""
STROKE_COLORS = {Tool.MARK_MISSING: scan_scene.MARKED_COLOR, Tool.MARK_DOUBTED: scan_scene.DOUBTED_COLOR}


class MarkingController:
    """Applies the strokes of a page, and files of marks, to a session.

    Parameters
    ----------
    owner : Owner; its lock is held by those who call
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._before_stroke: Session | None = None
        self.applied = AppliedMarksFollower(owner)

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
        self._begin(page, scan_scene.paintable_mesh(self._owner.session))
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

    def change(self, change: Callable[[Session], Session]) -> None:
        """Change the session's marks otherwise than by a stroke."""
        self._owner.jobs.require_idle()
        self._owner.session = change(self._owner.session)
        self.show_marks()

    def choose_snap(self) -> None:
        """Snap borders of marks, or leave them where they were painted, as the control says."""
        wanted = bool(self._owner.open_page.panel.snap.value)
        if wanted is not self._owner.session.snap:
            self.change(lambda session: session.set_snap(wanted))

    def show_marks(self) -> None:
        """Show the marks, and say how many there are; what a completion makes of them follows."""
        page, session = self._owner.page, self._owner.session
        if page is not None:
            page.panel.update(session)
        self._owner.draw()
        self._owner.jobs.show_message(marking_summary(session))
        self.applied.follow()

    def load_file(self, name: str, content: bytes) -> None:
        """Put the marks of a file in place of those of the kind that is chosen."""
        context, session = self._owner.context, self._owner.session
        limits = context.limits
        shown = check_upload(name, content, limits=limits, what="the marks", suffixes=mark_files.MARK_FILES)
        session.required_scan()

        def work(progress: Progress) -> Bools:
            return mark_files.read_marks_file(
                shown, content, session, model=context.model, limits=limits.reading, progress=progress
            )

        self._replace_marks(shown, work)

    def mark_by_name(self) -> None:
        """Put what the word in the panel names, a region or a colour, in place of the marks of the kind chosen."""
        owner, context, session = self._owner, self._owner.context, self._owner.session
        word = str(owner.open_page.panel.mark_word.value)[:LONGEST_WORD]
        session.required_scan()

        def work(progress: Progress) -> Bools:
            return mark_files.read_named_marks(
                word, session, model=context.model, limits=context.limits.reading, progress=progress
            )

        self._replace_marks(word, work)

    def _replace_marks(self, name: str, work: Callable[[Progress], Bools]) -> None:
        owner = self._owner
        kind = MarkKind(owner.open_page.panel.mark_kind.value)

        def apply(marked: Bools) -> None:
            owner.session = owner.session.replace_marks(kind, marked)
            self.show_marks()

        owner.jobs.submit(name, work, apply, queue=owner.context.reading)

    def _begin(self, page: Page, canvas: PaintedMesh) -> None:
        controls, count = page.panel, len(self._owner.session.marks.missing)
        is_scan = np.arange(len(canvas.mesh.vertices)) < count
        unmarked = scan_scene.paintable_mesh(self._owner.session.unmark_all())

        def preview(touched: Bools) -> PaintedMesh | None:
            tool = self.tool
            if tool is Tool.KEEP_OPEN:
                return overlay(canvas, touched & ~is_scan, scan_scene.KEPT_OPEN_COLOR)
            color = STROKE_COLORS.get(tool) if tool is not None else None
            return overlay(unmarked, touched, None) if color is None else overlay(canvas, touched & is_scan, color)

        page.painter.begin(canvas, radius_mm=lambda: _radius_mm(controls), preview=preview)


def _radius_mm(controls: Panel) -> float:
    return panel.checked_length_mm(controls.radius.value, panel.BRUSH_RADIUS_RANGE_MM)


def marking_summary(session: Session) -> str:
    """How much is marked, in a sentence, and whether the result was made with other marks."""
    marks = session.marks
    text = f"{_vertices(marks.missing)} of the scan marked as missing"
    if marks.doubted.any():
        text += f", {np.count_nonzero(marks.doubted)} as doubted"
    if marks.found.any():
        text += f", {np.count_nonzero(marks.found)} found to be no face"
    if marks.kept_open.any():
        text += f"; {np.mean(marks.kept_open):.0%} of what was found missing is to stay open"
    if session.outdated:
        text += "; the result is kept, and was made with earlier marks"
    return text


def _vertices(marked: Bools) -> str:
    count = np.count_nonzero(marked)
    return f"{count} {'vertex' if count == 1 else 'vertices'}"
