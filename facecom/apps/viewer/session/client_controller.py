"""One client: what the controls of its page do to its session, and what is shown of that."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facecom.apps.viewer.http.uploads import UploadedScan, read_upload
from facecom.apps.viewer.scene import panel, scene
from facecom.apps.viewer.scene.painting import StrokePainter
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.scene.viser_scene import ViserScene
from facecom.apps.viewer.session import jobs
from facecom.apps.viewer.session.context import Page, ViewerContext
from facecom.apps.viewer.session.job_controller import JobController
from facecom.apps.viewer.session.job_queue import CancelledError, LatestOnlyExecutor
from facecom.apps.viewer.session.session import Session
from facecom.completion import Completion, Progress
from facecom.geometry.mesh import Bools, Floats, Ints


class ClientController:
    """A session, and the page that shows it while there is one.

    Parameters
    ----------
    context : ViewerContext
    """

    def __init__(self, context: ViewerContext) -> None:
        self._context = context
        self.session = Session()
        self._lock = threading.RLock()
        self._page: Page | None = None
        self._jobs = JobController(context.queue, self._lock)
        self._dragging = LatestOnlyExecutor()

    def attach(self, client: Any) -> None:
        """Show the session on a page."""
        viser_scene = ViserScene(client)
        controls = Panel.create(client.gui, self._context.limits)
        page = Page(client, viser_scene, controls, StrokePainter(viser_scene, self._on_stroke))
        with self._lock:
            self._page = page
            self._connect_controls(page)
            self._jobs.attach(page.panel)
            self._set_session(self.session)

    def detach(self, *, moved: bool = False) -> None:
        """The page is closed, or the session has moved to another page; the session and its job stay."""
        with self._lock:
            page, self._page = self._page, None
            self._jobs.detach()
            if page is not None and moved:
                page.painter.end()
                page.panel.disable("This work has moved to another page.")

    def discard(self) -> None:
        """Cancel the job and drop the session."""
        with self._lock:
            self.detach()
            self._jobs.cancel()
            self.session = Session()

    @property
    def empty(self) -> bool:
        """Whether there is no data to lose."""
        return self.session.scan is None and not self._jobs.busy

    @property
    def _panel(self) -> Panel:
        return self._open_page.panel

    @property
    def _open_page(self) -> Page:
        if self._page is None:
            raise CancelledError
        return self._page

    def _connect_controls(self, page: Page) -> None:
        p = page.panel

        def handler(act: Callable[[], None]) -> Callable[[Any], None]:
            return self._jobs.event_handler(lambda: act() if self._page is page else None)

        p.upload.on_upload(handler(lambda: self._on_upload(p.upload.value.name, p.upload.value.content)))
        p.stop.on_click(handler(self._stop))
        p.pointer.on_update(handler(self._choose_pointer))
        p.unmark_all.on_click(handler(lambda: self._edit(lambda session: session.unmark_all())))
        p.complete.on_click(handler(self._complete))
        for control in (p.layer, p.surface):
            control.on_update(handler(lambda: self._draw(chosen=True)))
        p.landmark.on_update(handler(self._place_handle))
        p.undo_dragging.on_click(handler(lambda: self._edit(lambda session: session.undo_dragging())))
        p.sample.on_update(handler(self._select_sample))
        p.design.on_click(handler(self._design))
        p.results.on_click(handler(self._download_results))
        p.prostheses.on_click(handler(self._download_prostheses))

    def _stop(self) -> None:
        self._jobs.cancel()
        self._jobs.show_message("stopped")

    def _on_upload(self, name: str, content: bytes) -> None:
        upload = read_upload(name, content, limits=self._context.limits)
        with self._lock:
            self._jobs.cancel()
            self._set_session(Session())
            if len(upload.mesh.faces):
                self._load(upload)

        def work(progress: Progress) -> tuple[UploadedScan, jobs.FaceDetection]:
            progress("surface", 0.0)
            surface = UploadedScan(upload.name, jobs.with_surface(upload.mesh))
            return surface, jobs.find_missing(surface.mesh, model=self._context.model, progress=progress)

        def apply(found: tuple[UploadedScan, jobs.FaceDetection]) -> None:
            surface, detection = found
            if self.session.scan is None:
                self._load(surface)
            self._set_session(self.session.set_detection(detection))
            self._look_from_front()

        self._jobs.submit(upload.name, work, apply)

    def _load(self, upload: UploadedScan) -> None:
        self._set_session(Session().load(upload))
        self._look_from_front()

    def _choose_pointer(self) -> None:
        with self._lock:
            if self._panel.pointer.value == panel.ROTATE_VIEW or self.session.scan is None:
                self._open_page.painter.end()
                return
            if self.session.result is not None:
                chosen = self._panel.pointer.value
                self._edit(lambda session: session.mark(np.zeros(0, np.int64)))  # shows the scan again
                self._panel.pointer.value = chosen
            self._begin_painting(self._panel, scene.paintable_mesh(self.session))
        self._jobs.show_message("paint on the scan; beside it, the pointer still turns the view")

    def _begin_painting(self, controls: Panel, canvas: scene.PaintedMesh) -> None:
        is_scan = np.arange(len(canvas.mesh.vertices)) < len(self.session.marked)
        unmarked = scene.paintable_mesh(self.session.unmark_all())

        def preview(touched: Bools) -> scene.PaintedMesh | None:
            if controls.pointer.value == panel.MARK_MISSING:
                return scene.overlay(canvas, touched & is_scan, scene.MARKED_COLOR)
            if controls.pointer.value == panel.KEEP_OPEN:
                return scene.overlay(canvas, touched & ~is_scan, scene.KEPT_OPEN_COLOR)
            return scene.overlay(unmarked, touched, None)

        def radius_mm() -> float:
            return panel.checked_length_mm(controls.radius.value, panel.BRUSH_RADIUS_RANGE_MM)

        self._open_page.painter.begin(canvas, radius_mm=radius_mm, preview=preview)

    def _on_stroke(self, touched: Ints, is_over: bool) -> None:
        """Apply a stroke to the session; the scene is drawn anew when the pointer is released."""
        with self._lock:
            if self._jobs.busy or self.session.scan is None or self._page is None:
                return
            mode, count = self._panel.pointer.value, len(self.session.marked)
            on_scan, in_region = touched[touched < count], touched[touched >= count] - count
            if mode != panel.KEEP_OPEN:
                self.session = self.session.mark(on_scan, missing=mode == panel.MARK_MISSING)
            if mode != panel.MARK_MISSING:
                self.session = self.session.keep_open(in_region, is_open=mode == panel.KEEP_OPEN)
            if is_over:
                self._draw()
                self._jobs.show_message(_marking_summary(self.session))

    def _complete(self) -> None:
        session, detail = self.session, bool(self._panel.detail.value)
        session.unmarked_scan()  # an error in the marks is shown at once

        def work(progress: Progress) -> Completion:
            return jobs.complete_session(session, model=self._context.model, detail=detail, progress=progress)

        self._jobs.submit("completion", work, lambda result: self._set_session(self.session.set_result(result)))

    def _place_handle(self) -> None:
        """Put the handle at the chosen landmark."""
        name = self._panel.landmark.value

        async def on_move(event: Any) -> None:
            target = np.array(event.target.position, float)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._dragging.submit, lambda: self._drag(name, target))

        with self._lock:
            self._open_page.scene.show_handle(self.session.movable_landmarks().get(name), on_move)

    def _drag(self, name: str, target: Floats) -> None:
        start = time.perf_counter()
        with self._lock:
            if self._jobs.busy or self.session.result is None:
                return
            self.session = self.session.drag_landmark(name, target)
            if self._panel.sample.value:
                self._panel.sample.value = 0
            self._draw()
        self._jobs.show_message(f"{name} dragged; refit and drawn in {time.perf_counter() - start:.2f} s")

    def _select_sample(self) -> None:
        with self._lock:
            sample, count = int(self._panel.sample.value), self._context.limits.samples
            if sample == self.session.sample:
                return
            self._jobs.require_idle()
            self._set_session(self.session.draw_samples(count).select_sample(sample))
        self._jobs.show_message(f"face {sample} of {count} drawn at random" if sample else "the most likely face")

    def _design(self) -> None:
        completion, p = self._displayed_completion(), self._panel
        lengths = {
            "margin_mm": panel.checked_length_mm(p.margin.value, panel.MARGIN_RANGE_MM),
            "wall_mm": panel.checked_length_mm(p.wall.value, panel.WALL_RANGE_MM),
        }

        def work(progress: Progress) -> tuple[Any, ...]:
            return jobs.design_prostheses(completion, progress=progress, **lengths)

        self._jobs.submit("prosthesis", work, lambda parts: self._set_session(self.session.set_prostheses(parts)))

    def _download_results(self) -> None:
        completion, name = self._displayed_completion(), self.session.name
        self._jobs.submit(
            "results",
            lambda progress: jobs.pack_results(completion, name=name, progress=progress),
            lambda data: self._send_file(f"{Path(name).stem}_results.zip", data),
        )

    def _download_prostheses(self) -> None:
        prostheses, name = self.session.prostheses, self.session.name
        self._jobs.submit(
            "files of the prosthesis",
            lambda progress: jobs.pack_prostheses(prostheses, progress=progress),
            lambda data: self._send_file(f"{Path(name).stem}_prosthesis.zip", data),
        )

    def _displayed_completion(self) -> Completion:
        if self.session.displayed is None:
            raise ValueError("there is no result yet; complete the scan first")
        return self.session.displayed

    def _send_file(self, name: str, data: bytes) -> None:
        with self._lock:
            if self._page is not None:
                self._page.client.send_file_download(name, data, save_immediately=True)

    def _edit(self, change: Callable[[Session], Session]) -> None:
        with self._lock:
            self._jobs.require_idle()
            self._set_session(change(self.session))

    def _set_session(self, session: Session) -> None:
        """Replace the session and show it; where the displayed frame changes, the pointer rotates the view again."""
        with self._lock:
            moved = session.scan is not self.session.scan or session.frame is not self.session.frame
            self.session = session
            if self._page is None:
                return
            if moved:
                self._panel.pointer.value = panel.ROTATE_VIEW
                self._page.painter.end()
            self._panel.update(session)
            self._draw()
            self._place_handle()

    def _look_from_front(self) -> None:
        if self._page is not None:
            self._page.scene.look_from_front()

    def _draw(self, *, chosen: bool = False) -> None:
        """Show the session; a layer that it lacks is replaced, or, where it was just chosen, refused."""
        with self._lock:
            completion = self.session.displayed
            if completion is None:
                shown = scene.scan_scene(self.session)
            else:
                if not chosen and self._panel.layer.value not in scene.available_layers(completion):
                    self._panel.layer.value = scene.LAYERS[0]
                shown = scene.result_scene(self.session, self._panel.layer.value, self._panel.surface.value)
            self._open_page.scene.show(shown)
            self._panel.legend.content, self._panel.legend.visible = shown.legend, bool(shown.legend)


def _marking_summary(session: Session) -> str:
    text = f"{np.count_nonzero(session.marked)} vertices of the scan are marked as missing"
    if not session.kept_open.any():
        return text
    return f"{text}; {np.mean(session.kept_open):.0%} of what was found missing is to stay open"
