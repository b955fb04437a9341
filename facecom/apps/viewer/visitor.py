"""One visitor: what the controls of a page do to its session, and what is shown of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facecom.apps.viewer import jobs, panel, scene
from facecom.apps.viewer.desk import Desk
from facecom.apps.viewer.limits import Limits
from facecom.apps.viewer.line import Latest, Line
from facecom.apps.viewer.painting import Painter
from facecom.apps.viewer.panel import Panel
from facecom.apps.viewer.session import Session
from facecom.apps.viewer.stage import Stage
from facecom.apps.viewer.uploads import Uploaded, read_upload
from facecom.completion import Completion
from facecom.geometry.mesh import Ints
from facecom.model.linear import LinearGenerator


@dataclass(frozen=True, eq=False)
class Shop:
    """What all visitors share: the line, the face model and the limits."""

    line: Line
    model: LinearGenerator
    limits: Limits


class Visitor:
    """A page and its session.

    Parameters
    ----------
    client : viser's handle of the page
    shop : Shop
    """

    def __init__(self, client: Any, shop: Shop) -> None:
        self._client, self._shop = client, shop
        self.session = Session()
        self._lock = threading.RLock()
        self._stage = Stage(client)
        self._panel = Panel.of(client.gui, shop.limits)
        self._desk = Desk(self._panel, shop.line, self._lock)
        self._painter = Painter(self._stage, self._painted)
        self._dragging = Latest()
        self._wire()

    def leave(self) -> None:
        """The page was closed: give up the place in line and forget everything."""
        with self._lock:
            self._desk.close()
            self.session = Session()

    def _wire(self) -> None:
        p, safely = self._panel, self._desk.safely
        p.upload.on_upload(safely(lambda: self._uploaded(p.upload.value.name, p.upload.value.content)))
        p.leave.on_click(safely(self._stop))
        p.brush.on_update(safely(self._choose_pointer))
        p.clear.on_click(safely(lambda: self._edit(lambda s: s.unmark())))
        p.complete.on_click(safely(self._complete))
        for control in (p.layer, p.body):
            control.on_update(safely(self._draw))
        p.point.on_update(safely(self._hold))
        p.release.on_click(safely(lambda: self._edit(lambda s: s.release())))
        p.sample.on_update(safely(self._slide))
        p.design.on_click(safely(self._design))
        p.results.on_click(safely(self._pack_results))
        p.parts.on_click(safely(self._pack_parts))

    def _stop(self) -> None:
        self._desk.leave()
        self._desk.say("stopped")

    # ---- the scan

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
            self._stage.look_from_front()

        self._desk.line_up(upload.name, work, then)

    def _open(self, upload: Uploaded) -> None:
        self._set(Session().load(upload))
        self._stage.look_from_front()

    def _choose_pointer(self) -> None:
        with self._lock:
            if self._panel.brush.value == panel.LOOK or self.session.scan is None:
                self._painter.end()
                return
            if self.session.result is not None:
                chosen = self._panel.brush.value
                self._edit(lambda s: s.mark(np.zeros(0, np.int64)))  # back to the scan
                self._panel.brush.value = chosen
            self._painter.begin(
                scene.scan_view(self.session).surfaces["scan"],
                radius_mm=lambda: _between(self._panel.radius.value, panel.RADIUS_MM),
                missing=lambda: self._panel.brush.value == panel.MARK,
            )
        self._desk.say("paint on the scan; beside it, the pointer still turns the view")

    def _painted(self, touched: Ints, over: bool) -> None:
        """Mark what a stroke has touched; the marks are drawn anew when the pointer is let go."""
        with self._lock:
            if self._desk.busy or self.session.scan is None:
                return
            self.session = self.session.mark(touched, missing=self._panel.brush.value == panel.MARK)
            if over:
                self._draw()
                self._desk.say(f"{np.count_nonzero(self.session.marked)} vertices of the scan are marked as missing")

    # ---- the result

    def _complete(self) -> None:
        scan, relief = self.session.cut(), bool(self._panel.relief.value)

        def work(progress: jobs.Progress) -> Completion:
            return jobs.finish_face(scan, model=self._shop.model, relief=relief, progress=progress)

        self._desk.line_up("completion", work, lambda result: self._set(self.session.finish(result)))

    def _hold(self) -> None:
        """Put the handle where the chosen landmark is."""
        name = self._panel.point.value

        async def moved(event: Any) -> None:
            goal = np.array(event.target.position, float)
            await asyncio.get_running_loop().run_in_executor(None, self._dragging.offer, lambda: self._drag(name, goal))

        with self._lock:
            self._stage.hold(self.session.handles().get(name), moved)

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
            "margin_mm": _between(p.margin.value, panel.MARGIN_MM),
            "wall_mm": _between(p.wall.value, panel.WALL_MM),
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
        self._client.send_file_download(name, data, save_immediately=True)

    # ---- what is shown

    def _edit(self, change: Callable[[Session], Session]) -> None:
        with self._lock:
            self._desk.must_be_idle()
            self._set(change(self.session))

    def _set(self, session: Session) -> None:
        """Take in a session and show it; where the scan lies elsewhere now, the pointer goes back to the view."""
        if session.scan is not self.session.scan or session.frame is not self.session.frame:
            self._panel.brush.value = panel.LOOK
            self._painter.end()
        self.session = session
        p, done = self._panel, session.result is not None
        p.missing.visible = session.scan is not None
        p.result.visible = p.others.visible = p.prosthesis.visible = p.download.visible = done
        p.parts.visible = bool(session.parts)
        names = (panel.NOBODY, *session.handles())
        if tuple(p.point.options) != names:
            p.point.options = names
            p.point.value = panel.NOBODY
        if p.sample.value != session.sample:
            p.sample.value = session.sample
        self._draw()
        self._hold()

    def _draw(self) -> None:
        with self._lock:
            if self.session.result is None:
                view = scene.scan_view(self.session)
            else:
                view = scene.result_view(self.session, self._panel.layer.value, self._panel.body.value)
            self._stage.show(view)
            self._panel.legend.content, self._panel.legend.visible = view.legend, bool(view.legend)


def _between(value: Any, bounds: tuple[float, float]) -> float:
    """A length that a page sent; ValueError where its control does not allow it."""
    low, high = bounds
    if not (isinstance(value, int | float) and low <= value <= high):
        raise ValueError(f"a length there must be from {low:g} to {high:g} mm")
    return float(value)
