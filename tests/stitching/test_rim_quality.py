"""Quality of a patch on surfaces whose angles are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.mesh import Mesh
from facecom.stitching.rim_quality import rim_quality, smallest_angles


def bent(sheet, degrees: float) -> tuple[Mesh, int]:
    """A sheet folded along x = 5 by an angle; the faces left of the fold are the scan's and come first."""
    flat = sheet(8, 10)
    x, y, _ = flat.vertices.T
    turn, over = np.radians(degrees), np.maximum(x - 5, 0)
    points = np.stack([np.minimum(x, 5) + over * np.cos(turn), y, over * np.sin(turn)], axis=1)
    left = (x[flat.faces] <= 5).all(1)
    return Mesh(points, np.concatenate([flat.faces[left], flat.faces[~left]])), int(left.sum())


@pytest.mark.parametrize("degrees", [0.0, 25.0, 70.0])
def test_the_angle_over_the_rim_is_that_of_the_fold(sheet, degrees):
    mesh, scan_faces = bent(sheet, degrees)
    on_face = np.ones(len(mesh.vertices), bool)
    found = rim_quality(mesh, scan_faces, on_face=on_face, residual=np.array([0.1, 0.3, 0.2]))
    assert found.rim_angle_deg == pytest.approx(degrees, abs=1e-4)
    assert found.scan_angle_deg == pytest.approx(0, abs=1e-4)
    assert found.patch_angle_deg == pytest.approx(0, abs=1e-4)
    assert found.residual_mm == 0.2
    assert found.smallest_angle_deg == pytest.approx(45)
    assert (found.self_intersecting_edges, found.nonmanifold_edges) == (0, 0)
    assert np.isnan(rim_quality(mesh, scan_faces, on_face=~on_face, residual=np.zeros(0)).rim_angle_deg)


def test_no_patch_has_no_figures(sheet):
    mesh, _ = bent(sheet, 10.0)
    found = rim_quality(mesh, len(mesh.faces), on_face=np.ones(len(mesh.vertices), bool), residual=np.zeros(0))
    assert np.isnan(found.rim_angle_deg) and np.isnan(found.smallest_angle_deg)


def test_edges_with_three_faces_and_pierced_triangles_are_counted(sheet):
    mesh, scan_faces = bent(sheet, 0.0)
    fin = np.array([[6.2, 3.3, 1.0], [6.6, 3.5, 1.0], [6.4, 3.4, -1.0]])
    edge = mesh.faces[-1, :2]
    top = len(mesh.vertices)
    faces = np.concatenate([mesh.faces, [[top, top + 1, top + 2], [*edge, top]]])
    worse = Mesh(np.concatenate([mesh.vertices, fin]), faces)
    found = rim_quality(worse, scan_faces, on_face=np.ones(len(worse.vertices), bool), residual=np.zeros(0))
    assert found.nonmanifold_edges == 1
    assert found.self_intersecting_edges > 0


@given(st.integers(0, 1000))
def test_smallest_angles_are_those_of_the_law_of_cosines(seed):
    points = np.random.default_rng(seed).normal(size=(3, 3))
    a, b, c = (np.linalg.norm(points[k - 1] - points[k - 2]) for k in range(3))
    cosines = [(b * b + c * c - a * a) / (2 * b * c), (a * a + c * c - b * b) / (2 * a * c)]
    first, second = np.degrees(np.arccos(cosines))
    expected = min(first, second, 180 - first - second)
    assert smallest_angles(points, np.array([[0, 1, 2]]))[0] == pytest.approx(expected, abs=1e-5)
