"""One client: what the controls of its page do to its session, and what is shown of that."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facecom.apps.viewer.http.uploads import UploadedScan, check_upload, read_upload
from facecom.apps.viewer.scene import panel, scene
from facecom.apps.viewer.scene.painting import StrokePainter
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.scene.viser_scene import ViserScene
from facecom.apps.viewer.session import face_jobs, jobs
from facecom.apps.viewer.session.context import Page, ViewerContext
from facecom.apps.viewer.session.job_controller import JobController
from facecom.apps.viewer.session.job_queue import CancelledError, LatestOnlyExecutor
from facecom.apps.viewer.session.marking_controller import MarkingController
from facecom.apps.viewer.session.session import FaceDetection, Session
from facecom.completion import Completion, CompletionState, Progress
from facecom.geometry.mesh import Floats, Ints


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
        self.page: Page | None = None
        self.jobs = JobController(context.queue, self._lock)
        self._marking = MarkingController(self)
        self._shown_layer: scene.Layer = scene.LAYERS[0]
        self._dragging = LatestOnlyExecutor()

    def attach(self, client: Any) -> None:
        """Show the session on a page."""
        viser_scene = ViserScene(client)
        controls = Panel.create(client.gui, self._context.limits)
        page = Page(client, viser_scene, controls, StrokePainter(viser_scene, self._on_stroke))
        with self._lock:
            self.page = page
            self._connect_controls(page)
            self.jobs.attach(page.panel)
            self._set_session(self.session)
            page.panel.upload.visible = True

    def detach(self, *, moved: bool = False) -> None:
        """The page is closed, or the session has moved to another page; the session and its job stay."""
        with self._lock:
            page, self.page = self.page, None
            self.jobs.detach()
            if page is not None and moved:
                page.painter.end()
                page.panel.disable("This work has moved to another page.")

    def discard(self) -> None:
        """Cancel the job and drop the session."""
        with self._lock:
            self.detach()
            self.jobs.cancel()
            self.session = Session()

    @property
    def empty(self) -> bool:
        """Whether there is no data to lose."""
        return self.session.scan is None and not self.jobs.busy

    @property
    def _panel(self) -> Panel:
        return self._open_page.panel

    @property
    def _open_page(self) -> Page:
        if self.page is None:
            raise CancelledError
        return self.page

    def _connect_controls(self, page: Page) -> None:
        p = page.panel

        def handler(act: Callable[[], None]) -> Callable[[Any], None]:
            return self.jobs.event_handler(lambda: act() if self.page is page else None)

        p.upload.on_upload(handler(lambda: self._on_upload(p.upload.value.name, p.upload.value.content)))
        p.stop.on_click(handler(self._stop))
        p.pointer.on_update(handler(self._choose_pointer))
        p.undo_stroke.on_click(handler(lambda: self._change_marks(lambda session: session.undo_stroke())))
        p.unmark_all.on_click(handler(lambda: self._change_marks(lambda session: session.unmark_all())))
        p.complete.on_click(handler(self._complete))
        for control in (p.layer, p.surface):
            control.on_update(handler(self._choose_layer))
        p.landmark.on_update(handler(self._place_handle))
        p.undo_dragging.on_click(handler(lambda: self._edit(lambda session: session.undo_dragging())))
        p.sample.on_update(handler(self._select_sample))
        p.design.on_click(handler(self._design))
        p.results.on_click(handler(self._download_results))
        p.prostheses.on_click(handler(self._download_prostheses))

    def _stop(self) -> None:
        self.jobs.cancel()
        self.jobs.show_message("stopped")

    def _on_upload(self, name: str, content: bytes) -> None:
        """Read an upload, which takes the place of what runs; the session stays until the scan is there."""
        limits, seed = self._context.limits, CompletionState().seed
        shown = check_upload(name, content, limits=limits)

        def work(progress: Progress) -> UploadedScan:
            return read_upload(name, content, limits=limits, surface_seed=seed, progress=progress)

        with self._lock:
            self.jobs.cancel()
            self.jobs.submit(shown, work, self._load, queue=self._context.reading)

    def _load(self, upload: UploadedScan) -> None:
        """Begin anew with a scan, and find the face in it."""
        self._set_session(Session().load(upload))
        self._look_from_front()

        session, context = self.session, self._context

        def work(progress: Progress) -> FaceDetection:
            return face_jobs.detect_face(session, model=context.model, limits=context.limits.working, progress=progress)

        def apply(detection: FaceDetection) -> None:
            self._set_session(self.session.set_detection(detection))
            self._look_from_front()

        self.jobs.submit(upload.name, work, apply)

    def _on_stroke(self, touched: Ints, is_over: bool) -> None:
        with self._lock:
            self._marking.apply_stroke(touched, is_over)

    def _choose_pointer(self) -> None:
        with self._lock:
            self._marking.choose_pointer()

    def _change_marks(self, change: Callable[[Session], Session]) -> None:
        with self._lock:
            self.jobs.require_idle()
            self.session = change(self.session)
            self._marking.show_marks()

    def _complete(self) -> None:
        session, detail, context = self.session, bool(self._panel.detail.value), self._context
        session.unmarked_scan()  # an error in the marks is shown at once

        def work(progress: Progress) -> Completion:
            return face_jobs.complete_session(
                session, model=context.model, limits=context.limits.working, detail=detail, progress=progress
            )

        self.jobs.submit("completion", work, lambda result: self._set_session(self.session.set_result(result)))

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
            if self.jobs.busy or self.session.result is None:
                return
            self.session = self.session.drag_landmark(name, target)
            self._marking.end()
            self._panel.update(self.session)
            if self._panel.sample.value:
                self._panel.sample.value = 0
            self.draw()
        self.jobs.show_message(f"{name} dragged; refit and drawn in {time.perf_counter() - start:.2f} s")

    def _select_sample(self) -> None:
        with self._lock:
            sample, count = int(self._panel.sample.value), self._context.limits.samples
            if sample == self.session.sample:
                return
            self.jobs.require_idle()
            self._marking.end()
            self._set_session(self.session.draw_samples(count).select_sample(sample))
        self.jobs.show_message(f"face {sample} of {count} drawn at random" if sample else "the most likely face")

    def _design(self) -> None:
        completion, p = self._displayed_completion(), self._panel
        lengths = {
            "margin_mm": panel.checked_length_mm(p.margin.value, panel.MARGIN_RANGE_MM),
            "wall_mm": panel.checked_length_mm(p.wall.value, panel.WALL_RANGE_MM),
        }

        def work(progress: Progress) -> tuple[Any, ...]:
            return jobs.design_prostheses(completion, progress=progress, **lengths)

        def apply(parts: tuple[Any, ...]) -> None:
            self._set_session(self.session.set_prostheses(parts, completion))

        self.jobs.submit("prosthesis", work, apply)

    def _download_results(self) -> None:
        completion, name = self._displayed_completion(), self.session.name
        self.jobs.submit(
            "results",
            lambda progress: jobs.pack_results(completion, name=name, progress=progress),
            lambda data: self._send_file(f"{Path(name).stem}_results.zip", data),
        )

    def _download_prostheses(self) -> None:
        prostheses, name = self.session.prostheses, self.session.name
        self.jobs.submit(
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
            if self.page is not None:
                self.page.client.send_file_download(name, data, save_immediately=True)

    def _edit(self, change: Callable[[Session], Session]) -> None:
        with self._lock:
            self.jobs.require_idle()
            self._set_session(change(self.session))

    def _set_session(self, session: Session) -> None:
        """Replace the session and show it; where the displayed frame changes, the pointer rotates the view again."""
        with self._lock:
            moved = session.scan is not self.session.scan or session.frame is not self.session.frame
            self.session = session
            if self.page is None:
                return
            if moved:
                self._marking.end()
            self._panel.update(session)
            self.draw()
            self._place_handle()

    def _look_from_front(self) -> None:
        if self.page is not None:
            self.page.scene.look_from_front()

    def _choose_layer(self) -> None:
        """Show the layer and surface that were chosen; where there is no such layer, the one before stays."""
        with self._lock:
            completion, layer = self.session.displayed, self._panel.layer.value
            if completion is not None and layer not in scene.available_layers(completion):
                self._panel.layer.value = self._shown_layer
                raise ValueError(scene.UNAVAILABLE_LAYER[layer])
            self._marking.end()
            self.draw()

    def draw(self) -> None:
        """Show the session: the scan while it is painted on, else what is made of it; a lacking layer is replaced."""
        with self._lock:
            completion = self.session.displayed
            if completion is None or self._marking.tool is not None:
                shown = scene.scan_scene(self.session)
            else:
                if self._panel.layer.value not in scene.available_layers(completion):
                    self._panel.layer.value = scene.LAYERS[0]
                self._shown_layer = self._panel.layer.value
                shown = scene.result_scene(self.session, self._shown_layer, self._panel.surface.value)
            self._open_page.scene.show(shown)
            self._panel.legend.content, self._panel.legend.visible = shown.legend, bool(shown.legend)
