"""What visitors share, and what one of them sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facecom.apps.viewer.http.limits import Limits
from facecom.apps.viewer.scene.painting import Painter
from facecom.apps.viewer.scene.panel import Panel
from facecom.apps.viewer.scene.viser_scene import ViserScene
from facecom.apps.viewer.session.job_queue import JobQueue
from facecom.model.linear.generator import LinearGenerator


@dataclass(frozen=True, eq=False)
class ViewerContext:
    """What all visitors share: the line, the face model and the limits."""

    line: JobQueue
    model: LinearGenerator
    limits: Limits


@dataclass(frozen=True, eq=False)
class Page:
    """What a visitor sees: viser's handle of the page, the scene, the controls, and the brush."""

    client: Any
    stage: ViserScene
    panel: Panel
    painter: Painter
