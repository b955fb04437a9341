"""From strokes on the screen to vertices."""

import numpy as np
import pytest

from facecom.apps.viewer.scene.brush import Brush, ViewerCamera
from facecom.geometry.mesh import Mesh

FRONT = ViewerCamera(np.array([0.0, 0.0, 300.0]), np.diag([1.0, -1.0, -1.0]), 1.0, 1.5)


def test_the_middle_of_the_screen_looks_ahead_and_its_corners_aside():
    rays = FRONT.rays([[0.5, 0.5], [0.0, 0.0], [1.0, 1.0]])
    assert np.allclose(rays[0], [0, 0, -1])
    assert rays[1][0] < 0 < rays[1][1]
    assert rays[2][1] < 0 < rays[2][0]
    up = FRONT.rays([[0.5, 0.0]])[0]
    assert np.arctan2(up[1], -up[2]) == pytest.approx(0.5)


def test_a_dab_touches_a_disc_of_its_radius_on_the_near_side(icosphere):
    ball = icosphere(4, radius=80.0)
    touched = Brush(ball).stroke(FRONT, [0.5, 0.5], [0.5, 0.5], radius_mm=10.0)
    gap = np.linalg.norm(ball.vertices - [0, 0, 80], axis=1)
    assert set(touched) == set(np.flatnonzero(gap <= 10.0))


def test_a_stroke_leaves_no_gap(icosphere):
    ball = icosphere(5, radius=80.0)
    touched = Brush(ball).stroke(FRONT, [0.42, 0.5], [0.58, 0.5], radius_mm=6.0)
    line = ball.vertices[touched]
    near = np.abs(ball.vertices[:, 1]) < 3.0
    inside = near & (np.abs(ball.vertices[:, 0]) < 0.9 * np.abs(line[:, 0]).max()) & (ball.vertices[:, 2] > 0)
    assert inside.sum() > 20
    assert set(np.flatnonzero(inside)) <= set(touched)


def test_a_thin_sheets_back_is_not_painted(sheet):
    front = sheet(20, 20)
    count = len(front.vertices)
    centred = front.vertices - [10, 10, 0]
    both = Mesh(np.vstack([centred, centred - [0, 0, 0.5]]), np.vstack([front.faces, front.faces[:, ::-1] + count]))
    touched = Brush(both).stroke(FRONT, [0.5, 0.5], [0.5, 0.5], radius_mm=4.0)
    assert len(touched)
    assert touched.max() < count


def test_a_stroke_beside_the_scan_touches_nothing(icosphere):
    assert len(Brush(icosphere(2, radius=80.0)).stroke(FRONT, [0.0, 0.0], [0.05, 0.0], radius_mm=6.0)) == 0
