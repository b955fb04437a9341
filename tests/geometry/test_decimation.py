"""Meshes made coarser: still manifolds on the same surface, with the vertices that were to stay."""

import numpy as np
import pytest
import trimesh

from facecom.geometry.closest_points import Surface
from facecom.geometry.decimation import decimate
from facecom.geometry.mesh import Mesh, boundary_edges, edge_lengths, unique_edges


@pytest.fixture(scope="module")
def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(5, 20.0)
    return Mesh(sphere.vertices, sphere.faces)


def test_a_thinned_ball_is_a_closed_manifold_near_the_ball(ball):
    coarse, kept, origin = decimate(ball, shortest_mm=2.5)
    assert np.array_equal(coarse.vertices, ball.vertices[kept]) and len(origin) == len(coarse.faces)
    assert len(kept) < 0.35 * len(ball.vertices)
    solid = trimesh.Trimesh(coarse.vertices, coarse.faces, process=False)
    assert solid.is_watertight and solid.is_winding_consistent and solid.euler_number == 2
    assert Surface(coarse).closest(ball.vertices).distance.max() < 0.35
    assert edge_lengths(coarse).max() <= 5.0


def test_borders_and_fixed_vertices_stay(ball):
    half, _ = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 2] > 0)
    fixed = np.abs(half.vertices[:, 0]) < 1.0
    coarse, kept, origin = decimate(half, shortest_mm=2.5, fixed=fixed)
    stays = np.union1d(np.flatnonzero(fixed), np.unique(boundary_edges(half.faces)))
    assert np.isin(stays, kept).all()
    # A seam between fixed vertices stays a seam: no face has vertices on both sides of it.
    seam = half.vertices[:, 0][half.faces].mean(1) > 0
    left = coarse.vertices[coarse.faces].mean(1)[:, 0]
    assert (left[seam[origin]] > -1.5).all() and (left[~seam[origin]] < 1.5).all()
    assert unique_edges(coarse.faces)[2].max() <= 2


def test_a_mesh_without_short_edges_stays_as_it_is(ball):
    same, kept, _ = decimate(ball, shortest_mm=0.1)
    assert np.array_equal(same.vertices[same.faces], ball.vertices[ball.faces]) and len(kept) == len(ball.vertices)
