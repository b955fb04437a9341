"""Painting on the scan: pointer events become strokes, which are previewed while they grow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from facecom.apps.viewer.scene.brush import Brush, ViewerCamera
from facecom.apps.viewer.scene.painted_mesh import PaintedMesh
from facecom.apps.viewer.scene.viser_scene import STROKE_NODE, ViserScene
from facecom.apps.viewer.session.job_queue import LatestOnlyExecutor
from facecom.geometry.mesh import Bools, Ints


class StrokePainter:
    """Turns drags of the pointer over a mesh into vertices.

    Parameters
    ----------
    scene : ViserScene
    on_stroke : called with the vertices that a stroke has touched so far, and whether it is over
    """

    def __init__(self, scene: ViserScene, on_stroke: Callable[[Ints, bool], None]) -> None:
        self._scene, self._on_stroke = scene, on_stroke
        self._executor = LatestOnlyExecutor()
        self._segments: deque[tuple[ViewerCamera, Any, Any, bool]] = deque()
        self._pointer: Any = None
        self._touched = np.zeros(0, np.int64)
        self._canvas: PaintedMesh | None = None
        self._brush: Brush | None = None

    def begin(
        self, canvas: PaintedMesh, *, radius_mm: Callable[[], float], preview: Callable[[Bools], PaintedMesh | None]
    ) -> None:
        """Take the pointer's drags over a mesh as strokes.

        Parameters
        ----------
        canvas : PaintedMesh, what is painted on
        radius_mm : called for each segment of a stroke
        preview : what to draw of a stroke that has touched these vertices (V,) so far, None for nothing
        """
        self._canvas, self._brush = canvas, Brush(canvas.mesh)
        self._radius_mm, self._preview = radius_mm, preview
        self._scene.set_drag_callback(self._on_drag)

    def end(self) -> None:
        """Let the pointer rotate the view again."""
        self._segments.clear()
        self._canvas = self._brush = None
        self._scene.set_drag_callback(None)

    async def _on_drag(self, event: Any) -> None:
        """Queue a segment of a stroke; events are awaited in order, a thread does the work."""
        before = event.start_screen_pos if event.phase == "start" else self._pointer
        self._pointer = event.end_screen_pos
        self._segments.append((self._scene.camera(), before or self._pointer, self._pointer, event.phase == "end"))
        await asyncio.get_running_loop().run_in_executor(None, self._executor.submit, self._process_segments)

    def _process_segments(self) -> None:
        """Add the queued segments to the stroke."""
        canvas, brush, is_over = self._canvas, self._brush, False
        if canvas is None or brush is None:
            return
        while self._segments:
            camera, start, end, is_last = self._segments.popleft()
            touched = brush.stroke(camera, start, end, radius_mm=self._radius_mm())
            self._touched = np.union1d(self._touched, touched)
            is_over = is_over or is_last
        touched = self._touched
        if is_over:
            self._touched = np.zeros(0, np.int64)
        else:
            self._show_preview(canvas, touched)
        self._on_stroke(touched, is_over)

    def _show_preview(self, canvas: PaintedMesh, touched: Ints) -> None:
        mask = np.zeros(len(canvas.mesh.vertices), bool)
        mask[touched] = True
        preview = self._preview(mask)
        if preview is not None:
            self._scene.show_mesh(STROKE_NODE, preview)
