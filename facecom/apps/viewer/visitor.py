"""One visitor: what the controls of a page do to its session, and what is shown of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from facecom.apps.viewer import jobs, panel, scene
from facecom.apps.viewer.brush import Brush, Eye
from facecom.apps.viewer.limits import Limits
from facecom.apps.viewer.line import Latest, LeftError, Line, Ticket
from facecom.apps.viewer.panel import Panel
from facecom.apps.viewer.session import Session
from facecom.apps.viewer.stage import STROKE, Stage
from facecom.apps.viewer.uploads import Uploaded, read_upload
from facecom.errors import FacecomError
from facecom.model.linear import LinearGenerator

_log = logging.getLogger(__name__)
T = TypeVar("T")


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
        self._ticket: Ticket | None = None
        self._brush: Brush | None = None
        self._canvas: scene.Painted | None = None
        self._strokes: deque[tuple[Eye, Any, Any, bool]] = deque()
        self._pointer: Any = None
        self._touched = np.zeros(0, np.int64)
        self._painting, self._dragging = Latest(), Latest()
        self._stage = Stage(client)
        self._panel = Panel.of(client.gui, shop.limits)
        self._wire()

    def leave(self) -> None:
        """The page was closed: give up the place in line and forget everything."""
        with self._lock:
            if self._ticket is not None:
                self._ticket.leave()
            self.session, self._brush = Session(), None

    def _wire(self) -> None:
        p = self._panel
        p.upload.on_upload(self._safe(lambda: self._uploaded(p.upload.value.name, p.upload.value.content)))
        p.leave.on_click(self._safe(self._stop))
        p.brush.on_update(self._safe(self._choose_pointer))
        p.clear.on_click(self._safe(lambda: self._edit(lambda s: s.unmark())))
        p.complete.on_click(self._safe(self._complete))
        for control in (p.layer, p.body):
            control.on_update(self._safe(self._draw))
        p.point.on_update(self._safe(self._hold))
        p.release.on_click(self._safe(lambda: self._edit(lambda s: s.release())))
        p.sample.on_update(self._safe(self._slide))
        p.design.on_click(self._safe(self._design))
        p.results.on_click(self._safe(self._pack_results))
        p.parts.on_click(self._safe(self._pack_parts))

    def _safe(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """What goes wrong is said on the page; what should not have gone wrong is logged as well."""

        def handler(event: Any) -> None:
            try:
                act()
            except (FacecomError, ValueError) as error:
                self._say(f"**{error}**")
            except Exception:
                _log.exception("the viewer failed")
                self._say("**Something went wrong on the server; its log says what.**")

        return handler

    def _say(self, words: str) -> None:
        self._panel.status.content = words

    # ---- in line

    def _line_up(self, what: str, work: Callable[[jobs.Progress], T], then: Callable[[T], None]) -> None:
        """Do some work when it is our turn, and take it in unless nobody waits for it any more."""

        def job(ticket: Ticket) -> None:
            since = time.perf_counter()

            def progress(stage: str, share: float) -> None:
                ticket.go_on()
                self._panel.bar.value = 100.0 * share
                self._say(f"{what}: {stage}")

            words = f"{what}: stopped"
            try:
                value = work(progress)
                with self._lock:
                    ticket.go_on()
                    self._over(ticket)
                    then(value)
                words = f"{what}: done in {time.perf_counter() - since:.1f} s"
            except (FacecomError, ValueError) as error:
                words = f"**{error}**"
            except LeftError:
                pass
            except Exception:
                words = "**Something went wrong on the server; its log says what.**"
                raise
            finally:
                if self._over(ticket):
                    self._say(words)

        with self._lock:
            self._idle()
            self._ticket = self._shop.line.join(job, on_move=lambda place: self._moved(what, place))
            self._panel.leave.visible = True

    def _idle(self) -> None:
        """Raise ValueError while a job of this visitor is in line."""
        if self._ticket is not None:
            raise ValueError("one thing at a time: wait for what is in line, or stop it")

    def _moved(self, what: str, place: int) -> None:
        self._panel.bar.visible = True
        self._panel.bar.animated = place > 0
        self._say(f"{what}: begins" if place == 0 else f"{what}: number {place} in line")

    def _over(self, ticket: Ticket) -> bool:
        """End a job; whether the page still speaks of it."""
        with self._lock:
            ours = self._ticket in (ticket, None)
            if self._ticket is ticket:
                self._ticket = None
                self._panel.bar.visible = self._panel.leave.visible = False
                self._panel.bar.value = 0.0
            return ours

    def _stop(self) -> None:
        with self._lock:
            if self._ticket is None:
                return
            self._ticket.leave()
            waiting = self._ticket.place != 0
            if waiting:
                self._over(self._ticket)
        self._say("stopped" if waiting else "stops after this stage")

    # ---- the scan

    def _uploaded(self, name: str, content: bytes) -> None:
        upload = read_upload(name, content, limits=self._shop.limits)
        with self._lock:
            if self._ticket is not None:
                self._ticket.leave()
                self._over(self._ticket)
            self.session = Session()
            self._brush = None
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

        self._line_up(upload.name, work, then)

    def _open(self, upload: Uploaded) -> None:
        self._set(Session().load(upload))
        self._stage.look_from_front()

    def _choose_pointer(self) -> None:
        if self._panel.brush.value == panel.LOOK:
            self._stage.paint_with(None)
            return
        if self.session.result is not None:
            self._edit(lambda s: s.mark(np.zeros(0, np.int64)))  # back to the scan
        self._stage.paint_with(self._pointed)

    async def _pointed(self, event: Any) -> None:
        """A stretch of a stroke; awaited in order, so the work is left to a thread."""
        before = event.start_screen_pos if event.phase == "start" else self._pointer
        self._pointer = event.end_screen_pos
        self._strokes.append((self._stage.eye(), before or self._pointer, self._pointer, event.phase == "end"))
        await asyncio.get_running_loop().run_in_executor(None, self._painting.offer, self._paint)

    def _paint(self) -> None:
        """Take in the stretches that have come since; the marks are drawn anew when the pointer is let go."""
        with self._lock:
            if self._ticket is not None or self.session.scan is None:
                self._strokes.clear()
                return
            if self._brush is None or self._canvas is None:
                self._canvas = scene.scan_view(self.session).surfaces["scan"]
                self._brush = Brush(self._canvas.mesh)
            missing, over = self._panel.brush.value == panel.MARK, False
            while self._strokes:
                eye, start, end, last = self._strokes.popleft()
                touched = self._brush.stroke(eye, start, end, radius_mm=self._panel.radius.value)
                self._touched = np.union1d(self._touched, touched)
                over = over or last
            self.session = self.session.mark(self._touched, missing=missing)
            if over:
                self._touched = np.zeros(0, np.int64)
                self._draw()
                self._say(f"{np.count_nonzero(self.session.marked):,} vertices of the scan are marked as missing")
            else:
                self._show_stroke(missing)

    def _show_stroke(self, missing: bool) -> None:
        if self._canvas is None:
            return
        touched = np.zeros(len(self._canvas.mesh.vertices), bool)
        touched[self._touched] = True
        painted = scene.stroke(self._canvas, touched, missing=missing)
        if painted is not None:
            self._stage.put(STROKE, painted)

    # ---- the result

    def _complete(self) -> None:
        scan, relief = self.session.cut(), self._panel.relief.value

        def work(progress: jobs.Progress) -> jobs.Completion:
            return jobs.finish_face(scan, model=self._shop.model, relief=relief, progress=progress)

        def then(result: jobs.Completion) -> None:
            self._panel.brush.value = panel.LOOK
            self._stage.paint_with(None)
            self._set(self.session.finish(result))

        self._line_up("completion", work, then)

    def _hold(self) -> None:
        """Put the handle where the chosen landmark is."""
        name = self._panel.point.value
        place = self.session.handles().get(name)

        async def moved(event: Any) -> None:
            goal = np.array(event.target.position, float)
            await asyncio.get_running_loop().run_in_executor(None, self._dragging.offer, lambda: self._drag(name, goal))

        self._stage.hold(place, moved)

    def _drag(self, name: str, goal: Any) -> None:
        since = time.perf_counter()
        with self._lock:
            if self._ticket is not None or self.session.result is None:
                return
            try:
                self.session = self.session.drag(name, goal)
            except ValueError as error:
                self._say(f"**{error}**")
                return
            if self._panel.sample.value:
                self._panel.sample.value = 0
            self._draw()
        self._say(f"{name} dragged; refit and drawn in {time.perf_counter() - since:.2f} s")

    def _slide(self) -> None:
        with self._lock:
            wanted = int(self._panel.sample.value)
            if wanted == self.session.sample:
                return
            self._idle()
            self.session = self.session.draw(self._shop.limits.samples).look_at(wanted)
            self._draw()
            self._hold()
        self._say(f"face {wanted} of {self._shop.limits.samples} drawn at random" if wanted else "the most likely face")

    def _design(self) -> None:
        face = self._wanted()
        margin, wall = self._panel.margin.value, self._panel.wall.value

        def work(progress: jobs.Progress) -> tuple[Any, ...]:
            return jobs.design_parts(face, margin_mm=margin, wall_mm=wall, progress=progress)

        self._line_up("prosthesis", work, lambda parts: self._set(self.session.make(parts)))

    def _pack_results(self) -> None:
        face, name = self._wanted(), self.session.name
        self._line_up(
            "results",
            lambda progress: jobs.pack_results(face, name=name, progress=progress),
            lambda data: self._send(f"{Path(name).stem}_results.zip", data),
        )

    def _pack_parts(self) -> None:
        parts = self.session.parts
        self._line_up(
            "files of the prosthesis",
            lambda progress: jobs.pack_parts(parts, progress=progress),
            lambda data: self._send(f"{Path(self.session.name).stem}_prosthesis.zip", data),
        )

    def _wanted(self) -> jobs.Completion:
        if self.session.shown is None:
            raise ValueError("there is no result yet; complete the scan first")
        return self.session.shown

    def _send(self, name: str, data: bytes) -> None:
        self._client.send_file_download(name, data, save_immediately=True)

    # ---- what is shown

    def _edit(self, change: Callable[[Session], Session]) -> None:
        with self._lock:
            self._idle()
            self._set(change(self.session))

    def _set(self, session: Session) -> None:
        """Take in a session and show it."""
        turned = session.to_display.matrix().tolist() != self.session.to_display.matrix().tolist()
        if turned or session.scan is not self.session.scan:
            self._brush = None
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
