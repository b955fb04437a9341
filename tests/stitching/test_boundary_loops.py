"""Boundary loops become simple curves in the plane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, boundary_edges
from facecom.stitching.boundary_loops import barycentric_matrix, map_loops_to_uv, on_boundary_edges, untangle
from facecom.stitching.planar_triangulation import crossing_segments


@given(seed=st.integers(0, 200))
def test_untangle_makes_a_noisy_circle_simple_and_leaves_a_simple_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 80
    turn = 2 * np.pi * np.arange(n) / n
    circle = 10 * np.stack([np.cos(turn), np.sin(turn)], 1)
    edges = np.stack([np.arange(n), np.roll(np.arange(n), -1)], 1)
    span = np.full(n, 20 * np.pi / n)
    assert np.array_equal(untangle(circle, edges, span), circle)
    noisy = circle + rng.normal(size=circle.shape) * 0.8
    out = untangle(noisy, edges, span)
    assert len(crossing_segments(out[edges[:, 0]], out[edges[:, 1]])) == 0
    assert np.abs(np.linalg.norm(out, axis=1) - 10).max() < 4


@pytest.fixture(scope="module")
def tray(sheet) -> Surface:
    return Surface(sheet(6, 8))


@given(seed=st.integers(0, 200))
def test_a_query_is_past_the_boundary_where_it_projects_outside_the_sheet(seed, tray):
    mesh = tray.mesh
    low, high = np.array([-2.0, -2.0]), np.array([10.0, 8.0])
    flat = np.random.default_rng(seed).uniform(low, high, (50, 2))
    found = tray.closest(np.c_[flat, np.full(50, 0.3)])
    outside = (flat < 0).any(1) | (flat > [8, 6]).any(1)
    assert np.array_equal(on_boundary_edges(mesh, found, boundary_edges(mesh.faces)), outside)
    assert np.allclose(barycentric_matrix(mesh, found) @ mesh.vertices, found.points)


@pytest.mark.parametrize("height", [0.0, 1.5])
def test_a_hole_over_the_face_is_on_it_and_the_outer_boundary_is_past_its_border(height, sheet):
    face, wide = sheet(20, 20), sheet(30, 30, seed=1)
    points = wide.vertices - [5.0, 5.0, -height]
    scan, _ = Mesh(points, wide.faces).submesh((np.hypot(*(points[:, :2] - 10).T) > 4)[wide.faces].all(1))
    loops = map_loops_to_uv(
        scan, face, uv_mm=face.vertices[:, :2], surface=Surface(face), reach_mm=25.0, depth_mm=3.0, zip_gap_mm=1.0
    )
    at_hole = np.hypot(*(loops.points[:, :2] - 10).T) < 7
    assert np.array_equal(loops.on_face, at_hole)
    assert np.array_equal(loops.past_border, ~at_hole)
    assert np.allclose(loops.foot_points[at_hole], loops.points[at_hole] * [1, 1, 0])
    assert np.allclose(loops.uv[at_hole], loops.points[at_hole][:, :2])
    assert at_hole[loops.uv_edges].all()
    assert len(loops.uv_edges) == at_hole.sum()


def test_a_closed_scan_has_no_loops(icosphere, sheet):
    face = sheet(4, 4)
    loops = map_loops_to_uv(
        icosphere(1),
        face,
        uv_mm=face.vertices[:, :2],
        surface=Surface(face),
        reach_mm=9.0,
        depth_mm=3.0,
        zip_gap_mm=1.0,
    )
    assert len(loops.vertices) == len(loops.uv_edges) == len(loops.zipped) == loops.weights.shape[0] == 0
