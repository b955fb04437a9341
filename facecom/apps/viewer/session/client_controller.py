"""One client: what the controls of its page do to its session, and what is shown of that."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from facecom.apps.viewer.scene import result_scene, scan_scene
from facecom.apps.viewer.scene.painting import StrokePainter
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.scene.viser_scene import ViserScene
from facecom.apps.viewer.session import face_jobs
from facecom.apps.viewer.session.context import Page, ViewerContext
from facecom.apps.viewer.session.job_controller import JobController
from facecom.apps.viewer.session.job_queue import CancelledError, LatestOnlyExecutor
from facecom.apps.viewer.session.marking_controller import MarkingController
from facecom.apps.viewer.session.output_controller import OutputController
from facecom.apps.viewer.session.scan_controller import ScanController
from facecom.apps.viewer.session.session import Session
from facecom.completion import Completion, Progress
from facecom.geometry.mesh import Floats, Ints


class ClientController:
    """A session, and the page that shows it while there is one.

    Parameters
    ----------
    context : ViewerContext
    """

    def __init__(self, context: ViewerContext) -> None:
        self.context = context
        self.session = Session()
        self.lock = threading.RLock()
        self.page: Page | None = None
        self.jobs = JobController(context.queue, self.lock)
        self._marking, self._scans, self._output = MarkingController(self), ScanController(self), OutputController(self)
        self._shown_layer: result_scene.Layer = result_scene.LAYERS[0]
        self._dragging = LatestOnlyExecutor()

    def attach(self, client: Any) -> None:
        """Show the session on a page."""
        viser_scene = ViserScene(client)
        controls = Panel.create(client.gui, self.context.limits)
        page = Page(client, viser_scene, controls, StrokePainter(viser_scene, self._on_stroke))
        with self.lock:
            self.page = page
            self._connect_controls(page)
            self.jobs.attach(page.panel)
            page.panel.restore(self.session)
            self.set_session(self.session)
            page.panel.upload.visible = True

    def detach(self, *, moved: bool = False) -> None:
        """The page is closed, or the session has moved to another page; the session and its job stay."""
        with self.lock:
            page, self.page = self.page, None
            self.jobs.detach()
            if page is not None and moved:
                page.painter.end()
                page.panel.disable("This work has moved to another page.")

    def discard(self) -> None:
        """Cancel the job and drop the session."""
        with self.lock:
            self.detach()
            self.jobs.cancel()
            self._marking.applied.stop()
            self.session = Session()

    @property
    def empty(self) -> bool:
        """Whether there is no data to lose."""
        return self.session.scan is None and not self.jobs.busy

    @property
    def _panel(self) -> Panel:
        return self.open_page.panel

    @property
    def open_page(self) -> Page:
        """The page; CancelledError where there is none, which ends what was to be shown on it."""
        if self.page is None:
            raise CancelledError
        return self.page

    def _connect_controls(self, page: Page) -> None:
        p = page.panel

        def handler(act: Callable[[], None]) -> Callable[[Any], None]:
            return self.jobs.event_handler(lambda: act() if self.page is page else None)

        marking, scans, output = self._marking, self._scans, self._output
        p.upload.on_upload(handler(lambda: scans.upload(p.upload.value.name, p.upload.value.content)))
        for control in (p.unit, p.mm_per_unit):
            control.on_update(handler(lambda: p.show_unit(self.session)))
        p.read_again.on_click(handler(scans.read_again))
        p.stop.on_click(handler(self._stop))
        p.pointer.on_update(handler(self._locked(marking.choose_pointer)))
        p.undo_stroke.on_click(handler(self._locked(lambda: marking.change(Session.undo_stroke))))
        p.unmark_all.on_click(handler(self._locked(lambda: marking.change(Session.unmark_all))))
        p.snap.on_update(handler(self._locked(marking.choose_snap)))
        p.mark_kind.on_update(handler(lambda: p.update(self.session)))
        p.save_marks.on_click(handler(output.save_marks))
        p.load_marks.on_upload(
            handler(self._locked(lambda: marking.load_file(p.load_marks.value.name, p.load_marks.value.content)))
        )
        p.mark_named.on_click(handler(self._locked(marking.mark_by_name)))
        p.complete.on_click(handler(self._complete))
        for control in (p.layer, p.surface):
            control.on_update(handler(self._choose_layer))
        p.landmark.on_update(handler(self._place_handle))
        p.undo_dragging.on_click(handler(lambda: self._edit(lambda session: session.undo_dragging())))
        p.sample.on_update(handler(self._select_sample))
        p.design.on_click(handler(output.design))
        p.results.on_click(handler(output.download_results))
        p.prostheses.on_click(handler(output.download_prostheses))

    def _locked(self, act: Callable[[], None]) -> Callable[[], None]:
        def locked() -> None:
            with self.lock:
                act()

        return locked

    def _stop(self) -> None:
        self.jobs.cancel()
        self.jobs.show_message("stopped")

    def _on_stroke(self, touched: Ints, is_over: bool) -> None:
        with self.lock:
            self._marking.apply_stroke(touched, is_over)

    def _complete(self) -> None:
        session, detail, context = self.session, bool(self._panel.detail.value), self.context
        session.required_scan()

        def work(progress: Progress) -> Completion:
            return face_jobs.complete_session(
                session, model=context.model, limits=context.limits.working, detail=detail, progress=progress
            )

        def apply(result: Completion) -> None:
            # what changed meanwhile is newer than the result
            self.set_session(self.session.set_result(result, of=session))

        self.jobs.submit("completion", work, apply)

    def _place_handle(self) -> None:
        """Put the handle at the chosen landmark."""
        name = self._panel.landmark.value

        async def on_move(event: Any) -> None:
            target = np.array(event.target.position, float)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._dragging.submit, lambda: self._drag(name, target))

        with self.lock:
            self.open_page.scene.show_handle(self.session.movable_landmarks().get(name), on_move)

    def _drag(self, name: str, target: Floats) -> None:
        start = time.perf_counter()
        with self.lock:
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
        with self.lock:
            sample, count = int(self._panel.sample.value), self.context.limits.samples
            if sample == self.session.sample:
                return
            self.jobs.require_idle()
            self._marking.end()
            self.set_session(self.session.draw_samples(count).select_sample(sample))
        self.jobs.show_message(f"face {sample} of {count} drawn at random" if sample else "the most likely face")

    def _edit(self, change: Callable[[Session], Session]) -> None:
        with self.lock:
            self.jobs.require_idle()
            self.set_session(change(self.session))

    def set_session(self, session: Session) -> None:
        """Replace the session and show it; where the displayed frame changes, the pointer rotates the view again."""
        with self.lock:
            moved = session.scan is not self.session.scan or session.frame is not self.session.frame
            self.session = session
            if self.page is None:
                return
            if moved:
                self._marking.end()
            self._panel.update(session)
            self.draw()
            self._place_handle()

    def _choose_layer(self) -> None:
        """Show the layer and surface that were chosen; where there is no such layer, the one before stays."""
        with self.lock:
            completion, layer = self.session.displayed, self._panel.layer.value
            if completion is not None and layer not in result_scene.available_layers(completion):
                self._panel.layer.value = self._shown_layer
                raise ValueError(result_scene.UNAVAILABLE_LAYER[layer])
            self._marking.end()
            self.draw()

    def draw(self) -> None:
        """Show the session: the scan while it is painted on, else what is made of it; a lacking layer is replaced."""
        with self.lock:
            completion = self.session.displayed
            if completion is None or self._marking.tool is not None:
                shown = scan_scene.scan_scene(self.session)
            else:
                if self._panel.layer.value not in result_scene.available_layers(completion):
                    self._panel.layer.value = result_scene.LAYERS[0]
                self._shown_layer = self._panel.layer.value
                shown = result_scene.result_scene(self.session, self._shown_layer, self._panel.surface.value)
            self.open_page.scene.show(shown)
            self._panel.legend.content, self._panel.legend.visible = shown.legend, bool(shown.legend)
