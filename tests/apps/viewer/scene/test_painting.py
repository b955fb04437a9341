"""Strokes from pointer events."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.apps.viewer.scene.painted_mesh import PaintedMesh
from facecom.apps.viewer.scene.painting import StrokePainter
from facecom.apps.viewer.scene.viser_scene import STROKE_NODE, ViserScene
from facecom.geometry.transform import rotation_from_vector


@pytest.fixture
def canvas(icosphere):
    return PaintedMesh.of(icosphere(4, radius=80.0), (0.8, 0.8, 0.8))


@pytest.fixture
def strokes():
    return []


@pytest.fixture
def painter(client, canvas, strokes):
    """Paints on the ball, seen from the front."""
    client.camera.wxyz = (0.0, 1.0, 0.0, 0.0)  # x right, y down, z forward
    assert rotation_from_vector(np.array([np.pi, 0, 0]))[2, 2] == pytest.approx(-1.0)
    viser_scene = ViserScene(client)
    viser_scene.show_mesh("scan", canvas)
    made = StrokePainter(viser_scene, lambda touched, is_over: strokes.append((touched, is_over)))
    made.begin(canvas, radius_mm=lambda: 6.0, preview=lambda touched: canvas.submesh(touched[canvas.mesh.faces].any(1)))
    return made


def drag(client, *points):
    """Drag the pointer over the scan through points of the screen."""
    phases = ["start"] + ["move"] * (len(points) - 3) + ["end"]

    async def events():
        for phase, end in zip(phases, points[1:], strict=True):
            event = SimpleNamespace(phase=phase, start_screen_pos=points[0], end_screen_pos=end)
            for callback in client.nodes["/shown/scan"].callbacks:
                await callback(event)

    asyncio.run(events())


def test_a_stroke_grows_and_is_over_once(painter, client, canvas, strokes):
    drag(client, (0.45, 0.5), (0.5, 0.5), (0.55, 0.5), (0.55, 0.5))
    assert [is_over for _, is_over in strokes] == [False, False, True]
    counts = [len(touched) for touched, _ in strokes]
    assert 0 < counts[0] < counts[1] <= counts[2]
    x = canvas.mesh.vertices[strokes[-1][0], 0]
    assert x.min() < -5 and x.max() > 5
    assert STROKE_NODE in client.shown


def test_the_next_stroke_begins_with_nothing(painter, client, canvas, strokes):
    drag(client, (0.45, 0.5), (0.47, 0.5), (0.47, 0.5))
    drag(client, (0.55, 0.5), (0.53, 0.5), (0.53, 0.5))
    first, second = (touched for touched, is_over in strokes if is_over)
    assert canvas.mesh.vertices[first, 0].max() < 5 and canvas.mesh.vertices[second, 0].min() > -5


def test_after_the_end_the_pointer_is_free(painter, client, strokes):
    painter.end()
    drag(client, (0.45, 0.5), (0.5, 0.5), (0.5, 0.5))
    assert strokes == []
