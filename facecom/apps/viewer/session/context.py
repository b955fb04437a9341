"""What all clients share, and the page of one client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.scene.painting import StrokePainter
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.scene.viser_scene import ViserScene
from facecom.apps.viewer.session.face_jobs import SharedModel
from facecom.apps.viewer.session.job_queue import JobQueue


@dataclass(frozen=True, eq=False)
class ViewerContext:
    """What all clients share: the queue of jobs, that of scans and marks to read, the face model and the limits."""

    queue: JobQueue
    reading: JobQueue
    model: SharedModel
    limits: Limits


@dataclass(frozen=True, eq=False)
class Page:
    """A page: viser's handle of it, its scene, its controls, and its painter of strokes."""

    client: Any
    scene: ViserScene
    panel: Panel
    painter: StrokePainter
