"""Painting on the scan: strokes of the pointer as they come, drawn while they grow and taken in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from facecom.apps.viewer.scene import scene
from facecom.apps.viewer.scene.brush import Brush, Eye
from facecom.apps.viewer.scene.viser_scene import STROKE, ViserScene
from facecom.apps.viewer.session.job_queue import LatestOnlyExecutor
from facecom.geometry.mesh import Bools, Ints


class Painter:
    """Turns drags of the pointer over the scan into vertices.

    Parameters
    ----------
    stage : Stage
    take_in : called with the vertices that a stroke has touched so far, and whether it is over
    """

    def __init__(self, stage: ViserScene, take_in: Callable[[Ints, bool], None]) -> None:
        self._stage, self._take_in = stage, take_in
        self._latest = LatestOnlyExecutor()
        self._stretches: deque[tuple[Eye, Any, Any, bool]] = deque()
        self._pointer: Any = None
        self._touched = np.zeros(0, np.int64)
        self._canvas: scene.Painted | None = None
        self._brush: Brush | None = None

    def begin(
        self, canvas: scene.Painted, *, radius_mm: Callable[[], float], drawn: Callable[[Bools], scene.Painted | None]
    ) -> None:
        """Listen to the pointer over a canvas.

        Parameters
        ----------
        radius_mm : asked for with each stretch of a stroke
        drawn : what is to be seen of a stroke that has touched these vertices (V,) so far
        """
        self._canvas, self._brush = canvas, Brush(canvas.mesh)
        self._radius_mm, self._drawn = radius_mm, drawn
        self._stage.paint_with(self._pointed)

    def end(self) -> None:
        """Leave the pointer to the view."""
        self._stretches.clear()
        self._canvas = self._brush = None
        self._stage.paint_with(None)

    async def _pointed(self, event: Any) -> None:
        """A stretch of a stroke; these are awaited in order, and the work is left to a thread."""
        before = event.start_screen_pos if event.phase == "start" else self._pointer
        self._pointer = event.end_screen_pos
        self._stretches.append((self._stage.eye(), before or self._pointer, self._pointer, event.phase == "end"))
        await asyncio.get_running_loop().run_in_executor(None, self._latest.offer, self._paint)

    def _paint(self) -> None:
        """Take in the stretches that have come since."""
        canvas, brush, over = self._canvas, self._brush, False
        if canvas is None or brush is None:
            return
        while self._stretches:
            eye, start, end, last = self._stretches.popleft()
            touched = brush.stroke(eye, start, end, radius_mm=self._radius_mm())
            self._touched = np.union1d(self._touched, touched)
            over = over or last
        touched = self._touched
        if over:
            self._touched = np.zeros(0, np.int64)
        else:
            where = np.zeros(len(canvas.mesh.vertices), bool)
            where[touched] = True
            growing = self._drawn(where)
            if growing is not None:
                self._stage.put(STROKE, growing)
        self._take_in(touched, over)
