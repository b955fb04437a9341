"""One visitor: what the controls of a page do to its session, and what is shown of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facecom.apps.viewer.http.uploads import Uploaded, read_upload
from facecom.apps.viewer.scene import panel, scene
from facecom.apps.viewer.scene.painting import Painter
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.scene.viser_scene import ViserScene
from facecom.apps.viewer.session import jobs
from facecom.apps.viewer.session.context import Page, ViewerContext
from facecom.apps.viewer.session.job_controller import JobController
from facecom.apps.viewer.session.job_queue import CancelledError, LatestOnlyExecutor
from facecom.apps.viewer.session.session import Session
from facecom.completion import Completion
from facecom.geometry.mesh import Bools, Ints


class ClientController:
    """A session, and the page that shows it while there is one.

    Parameters
    ----------
    shop : Shop
    """

    def __init__(self, shop: ViewerContext) -> None:
        self._shop = shop
        self.session = Session()
        self._lock = threading.RLock()
        self._page: Page | None = None
        self._desk = JobController(shop.line, self._lock)
        self._dragging = LatestOnlyExecutor()

    def open(self, client: Any) -> None:
        """Show the session on a page."""
        stage = ViserScene(client)
        page = Page(client, stage, Panel.of(client.gui, self._shop.limits), Painter(stage, self._painted))
        with self._lock:
            self._page = page
            self._wire(page)
            self._desk.open(page.panel)
            self._set(self.session)

    def shut(self, *, moved: bool = False) -> None:
        """The page is gone, or the session has moved to another page; the session and its job stay."""
        with self._lock:
            page, self._page = self._page, None
            self._desk.shut()
            if page is not None and moved:
                page.painter.end()
                page.panel.hide("This work has moved to another page.")

    def leave(self) -> None:
        """Give up the place in line and forget everything."""
        with self._lock:
            self.shut()
            self._desk.leave()
            self.session = Session()

    @property
    def empty(self) -> bool:
        """Whether nothing would be lost."""
        return self.session.scan is None and not self._desk.busy

    @property
    def _panel(self) -> Panel:
        return self._shown.panel

    @property
    def _shown(self) -> Page:
        if self._page is None:
            raise CancelledError
        return self._page

    def _wire(self, page: Page) -> None:
        p = page.panel

        def safely(act: Callable[[], None]) -> Callable[[Any], None]:
            return self._desk.safely(lambda: act() if self._page is page else None)

        p.upload.on_upload(safely(lambda: self._uploaded(p.upload.value.name, p.upload.value.content)))
        p.leave.on_click(safely(self._stop))
        p.brush.on_update(safely(self._choose_pointer))
        p.clear.on_click(safely(lambda: self._edit(lambda s: s.unmark())))
        p.complete.on_click(safely(self._complete))
        for control in (p.layer, p.body):
            control.on_update(safely(lambda: self._draw(asked=True)))
        p.point.on_update(safely(self._hold))
        p.release.on_click(safely(lambda: self._edit(lambda s: s.release())))
        p.sample.on_update(safely(self._slide))
        p.design.on_click(safely(self._design))
        p.results.on_click(safely(self._pack_results))
        p.parts.on_click(safely(self._pack_parts))

    def _stop(self) -> None:
        self._desk.leave()
        self._desk.say("stopped")

    def _uploaded(self, name: str, content: bytes) -> None:
        upload = read_upload(name, content, limits=self._shop.limits)
        with self._lock:
            self._desk.leave()
            self._set(Session())
            if len(upload.mesh.faces):
                self._open(upload)

        def work(progress: jobs.Progress) -> tuple[Uploaded, jobs.Found]:
            progress("surface", 0.0)
            surface = Uploaded(upload.name, jobs.with_surface(upload.mesh))
            return surface, jobs.find_missing(surface.mesh, model=self._shop.model, progress=progress)

        def then(found: tuple[Uploaded, jobs.Found]) -> None:
            if self.session.scan is None:
                self._open(found[0])
            self._set(self.session.find(found[1]))
            self._look_from_front()

        self._desk.line_up(upload.name, work, then)

    def _open(self, upload: Uploaded) -> None:
        self._set(Session().load(upload))
        self._look_from_front()

    def _choose_pointer(self) -> None:
        with self._lock:
            if self._panel.brush.value == panel.LOOK or self.session.scan is None:
                self._shown.painter.end()
                return
            if self.session.result is not None:
                chosen = self._panel.brush.value
                self._edit(lambda s: s.mark(np.zeros(0, np.int64)))  # back to the scan
                self._panel.brush.value = chosen
            self._begin_to_paint(self._panel, scene.canvas(self.session))
        self._desk.say("paint on the scan; beside it, the pointer still turns the view")

    def _begin_to_paint(self, controls: Panel, canvas: scene.Painted) -> None:
        own = np.arange(len(canvas.mesh.vertices)) < len(self.session.marked)
        bare = scene.canvas(self.session.unmark())

        def drawn(touched: Bools) -> scene.Painted | None:
            if controls.brush.value == panel.MARK:
                return scene.stroke(canvas, touched & own, scene.MARKED)
            if controls.brush.value == panel.OPEN:
                return scene.stroke(canvas, touched & ~own, scene.SPARED)
            return scene.stroke(bare, touched, None)

        radius: Callable[[], float] = lambda: panel.between(controls.radius.value, panel.RADIUS_MM)  # noqa: E731
        self._shown.painter.begin(canvas, radius_mm=radius, drawn=drawn)

    def _painted(self, touched: Ints, over: bool) -> None:
        """Take in what a stroke has touched; it is drawn anew when the pointer is let go."""
        with self._lock:
            if self._desk.busy or self.session.scan is None or self._page is None:
                return
            how, count = self._panel.brush.value, len(self.session.marked)
            scan, found = touched[touched < count], touched[touched >= count] - count
            if how != panel.OPEN:
                self.session = self.session.mark(scan, missing=how == panel.MARK)
            if how != panel.MARK:
                self.session = self.session.spare(found, spared=how == panel.OPEN)
            if over:
                self._draw()
                self._desk.say(_counted(self.session))

    def _complete(self) -> None:
        now, relief = self.session, bool(self._panel.relief.value)
        now.cut()  # what is wrong with the marks is said at once

        def work(progress: jobs.Progress) -> Completion:
            return jobs.finish_face(now, model=self._shop.model, relief=relief, progress=progress)

        self._desk.line_up("completion", work, lambda result: self._set(self.session.finish(result)))

    def _hold(self) -> None:
        """Put the handle where the chosen landmark is."""
        name = self._panel.point.value

        async def moved(event: Any) -> None:
            goal = np.array(event.target.position, float)
            await asyncio.get_running_loop().run_in_executor(None, self._dragging.offer, lambda: self._drag(name, goal))

        with self._lock:
            self._shown.stage.hold(self.session.handles().get(name), moved)

    def _drag(self, name: str, goal: Any) -> None:
        since = time.perf_counter()
        with self._lock:
            if self._desk.busy or self.session.result is None:
                return
            self.session = self.session.drag(name, goal)
            if self._panel.sample.value:
                self._panel.sample.value = 0
            self._draw()
        self._desk.say(f"{name} dragged; refit and drawn in {time.perf_counter() - since:.2f} s")

    def _slide(self) -> None:
        with self._lock:
            wanted, count = int(self._panel.sample.value), self._shop.limits.samples
            if wanted == self.session.sample:
                return
            self._desk.must_be_idle()
            self._set(self.session.draw(count).look_at(wanted))
        self._desk.say(f"face {wanted} of {count} drawn at random" if wanted else "the most likely face")

    def _design(self) -> None:
        face, p = self._wanted(), self._panel
        lengths = {
            "margin_mm": panel.between(p.margin.value, panel.MARGIN_MM),
            "wall_mm": panel.between(p.wall.value, panel.WALL_MM),
        }

        def work(progress: jobs.Progress) -> tuple[Any, ...]:
            return jobs.design_parts(face, progress=progress, **lengths)

        self._desk.line_up("prosthesis", work, lambda parts: self._set(self.session.make(parts)))

    def _pack_results(self) -> None:
        face, name = self._wanted(), self.session.name
        self._desk.line_up(
            "results",
            lambda progress: jobs.pack_results(face, name=name, progress=progress),
            lambda data: self._send(f"{Path(name).stem}_results.zip", data),
        )

    def _pack_parts(self) -> None:
        parts, name = self.session.parts, self.session.name
        self._desk.line_up(
            "files of the prosthesis",
            lambda progress: jobs.pack_parts(parts, progress=progress),
            lambda data: self._send(f"{Path(name).stem}_prosthesis.zip", data),
        )

    def _wanted(self) -> Completion:
        if self.session.shown is None:
            raise ValueError("there is no result yet; complete the scan first")
        return self.session.shown

    def _send(self, name: str, data: bytes) -> None:
        with self._lock:
            if self._page is not None:
                self._page.client.send_file_download(name, data, save_immediately=True)

    def _edit(self, change: Callable[[Session], Session]) -> None:
        with self._lock:
            self._desk.must_be_idle()
            self._set(change(self.session))

    def _set(self, session: Session) -> None:
        """Take in a session and show it; where the scan lies elsewhere now, the pointer goes back to the view."""
        with self._lock:
            moved = session.scan is not self.session.scan or session.frame is not self.session.frame
            self.session = session
            if self._page is None:
                return
            if moved:
                self._panel.brush.value = panel.LOOK
                self._page.painter.end()
            self._panel.follow(session)
            self._draw()
            self._hold()

    def _look_from_front(self) -> None:
        if self._page is not None:
            self._page.stage.look_from_front()

    def _draw(self, *, asked: bool = False) -> None:
        """Show the session; a layer that it has not is another one then, or was asked for in vain."""
        with self._lock:
            face = self.session.shown
            if face is None:
                view = scene.scan_view(self.session)
            else:
                if not asked and self._panel.layer.value not in scene.layers_of(face):
                    self._panel.layer.value = scene.LAYERS[0]
                view = scene.result_view(self.session, self._panel.layer.value, self._panel.body.value)
            self._shown.stage.show(view)
            self._panel.legend.content, self._panel.legend.visible = view.legend, bool(view.legend)


def _counted(session: Session) -> str:
    words = f"{np.count_nonzero(session.marked)} vertices of the scan are marked as missing"
    if not session.spared.any():
        return words
    return f"{words}; {np.mean(session.spared):.0%} of what was found missing is to stay open"
