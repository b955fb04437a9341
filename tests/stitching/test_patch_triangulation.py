"""The triangulated patch on flat faces, where its area and its border are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, boundary_edges, boundary_loops, face_areas
from facecom.stitching.boundary_loops import map_loops_to_uv
from facecom.stitching.patch_triangulation import (
    duplicate_edges,
    face_uv_mm,
    rim_residuals,
    triangulate_patch,
    usable_edges,
)


@pytest.fixture(scope="module")
def face(sheet) -> Mesh:
    flat = sheet(24, 24, seed=2)
    return Mesh(flat.vertices, flat.faces, uv=0.03 * flat.vertices[:, :2])


def loops_of(scan: Mesh, face: Mesh):
    uv_mm, border = face_uv_mm(face)
    loops = map_loops_to_uv(scan, face, uv_mm=uv_mm, surface=Surface(face), reach_mm=25.0, depth_mm=3.0, zip_gap_mm=1.0)
    return loops, uv_mm, border


def holed(sheet, radius: float, height: float = 0.0) -> Mesh:
    """A sheet over the face and beyond its border, `height` above it, with a round hole."""
    flat = sheet(36, 36, seed=5)
    points = flat.vertices - [6.0, 6.0, -height]
    return Mesh(points, flat.faces).submesh((np.hypot(*(points[:, :2] - 12).T) > radius)[flat.faces].all(1))[0]


@given(scale=st.floats(0.01, 50.0), angle=st.floats(0, 6.2), mirrored=st.booleans())
def test_the_plane_has_the_area_of_the_face_and_runs_counter_clockwise(scale, angle, mirrored, sheet):
    flat = sheet(3, 4, seed=0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    uv = scale * flat.vertices[:, :2] @ turn * [-1.0 if mirrored else 1.0, 1.0]
    uv_mm, border = face_uv_mm(Mesh(flat.vertices, flat.faces, uv=uv))
    x, y = uv_mm[border].T
    signed = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    assert signed == pytest.approx(face_areas(flat).sum())


@pytest.mark.parametrize("height", [0.0, 0.5])
def test_the_patch_closes_the_hole_and_nothing_else(sheet, face, height):
    scan = holed(sheet, 6.0, height)
    loops, uv_mm, border = loops_of(scan, face)
    outside = np.hypot(*(face.vertices[:, :2] - 12).T) > 6.0
    filling = triangulate_patch(
        face,
        loops,
        uv_mm=uv_mm,
        border=border,
        missing_score=1.0 - outside,
        grading=0.35,
        falloff_mm=4.0,
        fixed=np.zeros((0, 2), int),
    )
    patch = Mesh(filling.positions(loops), filling.triangles)
    hole = min(boundary_loops(scan.faces), key=len)
    x, y = scan.vertices[hole][:, :2].T
    area = abs(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    assert np.sum(face_areas(patch)) == pytest.approx(area, rel=0.0 if not height else 0.1, abs=1e-9)
    rim = {tuple(e) for e in loops.vertices[boundary_edges(filling.triangles)].tolist()}
    assert rim == {(b, a) for a, b in boundary_edges(scan.faces).tolist() if a in set(hole.tolist())}
    assert np.allclose(filling.weights @ face.vertices * [1, 1, 0], filling.points * [1, 1, 0])
    assert rim_residuals(loops)[loops.on_face] == pytest.approx(height)
    away, z = np.hypot(*(filling.points[:, :2] - 12).T), filling.points[:, 2]
    assert z[away > 5].mean() == pytest.approx(height, rel=0.2)  # level at the rim, fading inwards
    assert z[away < 2].max() < z[away > 5].mean() or not height


def test_of_two_loops_that_cross_the_nearer_stays(sheet, face):
    near, far = holed(sheet, 5.0), holed(sheet, 5.0, height=2.0)
    both = Mesh(
        np.concatenate([near.vertices, far.vertices + [3.0, 0, 0]]),
        np.concatenate([near.faces, far.faces + len(near.vertices)]),
    )
    loops, _, _ = loops_of(both, face)
    kept = usable_edges(loops)
    is_near = loops.vertices < len(near.vertices)
    lost = {tuple(e) for e in loops.uv_edges.tolist()} - {tuple(e) for e in kept.tolist()}
    assert lost
    assert not is_near[np.array(sorted(lost))].any()


def test_an_edge_of_the_scan_is_a_duplicate_unless_scan_and_patch_share_it():
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    boundary = np.array([[1, 0]])
    assert duplicate_edges(triangles, boundary, np.array([[0, 1], [0, 2], [3, 0], [7, 8]])).tolist() == [[0, 2], [0, 3]]
    assert len(duplicate_edges(triangles, boundary, np.zeros((0, 2), int))) == 0
